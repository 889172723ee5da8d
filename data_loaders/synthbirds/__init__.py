"""SynthBirds: procedurally drawn fine-grained birds whose true cue is known. Described in docs/synthbirds.md."""
