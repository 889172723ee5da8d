"""Where a training run starts: another run's checkpoint, whose flags hold where the call does not say others."""

from calm import distributed
from calm.errors import UserError, as_flags
from calm.flags import Config, checked, names
from calm.networks.checkpoint import CHECKPOINT_KEYS
from calm.networks.checkpoint_files import locate_checkpoint, read_checkpoint
from calm.networks.trunks import canonical_architecture


def started(args: Config) -> Config:
    """``args`` of a run that starts from ``load_checkpoint``, with what that checkpoint states of network and data.

    So a CAM run goes on as CALM with the same trunk, classes and images, and the run's config says so. A checkpoint of
    another task (``is_different_checkpoint``) lends what it says of the network alone, not of its method.

    Raises:
        UserError: the trunks differ.
    """
    path = locate_checkpoint(args.load_checkpoint, save_root=args.save_root)
    stated = checked(read_checkpoint(path).get("config") or {}, str(path))
    lent = names(role="network", owners=(), stated=True) if args.is_different_checkpoint else CHECKPOINT_KEYS
    kept = {"attribution_method"} if args.is_different_checkpoint else set()
    if "crop_size" in args.given and args.crop_size != stated.get("crop_size"):
        kept.add("resize_size")  # it follows the crop
    ours, theirs = args.architecture, stated.get("architecture")
    if "architecture" in args.given and theirs and canonical_architecture(theirs) != canonical_architecture(ours):
        raise UserError(
            f"`architecture`={ours} differs from {theirs} of {path}, whose trunk the run would start from: leave it out"
        )
    taken = {
        name: stated[name]
        for name in lent
        if name in stated and name not in kept | args.given and stated[name] != args[name]
    }
    if taken:
        words = ", ".join(f"`{name}`={value}" for name, value in taken.items())
        distributed.print0(as_flags(f"notice: from {path}: {words}"))
    return args.replaced(**taken)
