"""The front door: the `still` command, settings, the embedded stack, the demo; wires, holds no logic of the domain."""
