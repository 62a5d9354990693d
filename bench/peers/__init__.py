"""The same transit in every Python peer: read an event, add one field, write it; one short file each, a process each.

Arguments of each: bootstrap servers, source topic, target topic, an empty folder. Each runs until it is ended; the
rate is seen from outside, at the target topic. Every producer asks for acks=all, idempotence (where the peer has it)
and lz4, and commits its source only behind what is confirmed, as far as the peer offers that; where its promise is
weaker than ours its file says so.
"""
