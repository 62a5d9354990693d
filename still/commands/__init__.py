"""One file per command of `still`; each wires parts together and holds no logic of the domain."""
