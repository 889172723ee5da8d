"""Which parameters learn at the base rate and which at the higher rate of new layers."""

from torch import nn

from calm.errors import UserError
from calm.networks.network import Network


def is_new_by_module(network: Network, name: str) -> bool:
    """The head's layers and the trunk's new ones, whole modules (paper, Section 5: new layers from scratch)."""
    return name.split(".")[0] in (*network.head_layers, *network.new_layers)


def is_new_by_released_words(network: Network, name: str) -> bool:
    """New is what contains none of the trunk's words: the rule of the released code.

    For ResNet the words are conv1, layer1, layer2 and layer3. So ``layer4.0.conv1`` counts as old and the stem's
    ``bn1`` as new. This is our reading of that outcome; for vgg16 and inception_v3 both rules agree.
    """
    return not any(word in name for word in network.released_base_words)


RULES = {"module": is_new_by_module, "released": is_new_by_released_words}


def parameter_groups(
    network: Network, *, lr: float, classifier_ratio: float, rule: str = "module", all_trunk_at_lr: bool = False
) -> list[dict]:
    """Split the trainable parameters for an optimizer.

    Args:
        network: a network of ``build_network``, not wrapped.
        lr: base learning rate.
        classifier_ratio: new layers learn at ``lr * classifier_ratio``.
        rule: "module" or "released"; see the two functions above.
        all_trunk_at_lr: only the head's layers count as new, whatever the rule.

    Returns:
        ``[{"params", "lr"}, {"params", "lr"}]``, base group first, empty groups left out.
    """
    if rule not in RULES:
        raise UserError(f"`param_groups` {rule!r} is unknown: choose {' or '.join(RULES)}")
    base: list[nn.Parameter] = []
    new: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            is_new = name.split(".")[0] in network.head_layers if all_trunk_at_lr else RULES[rule](network, name)
            (new if is_new else base).append(parameter)
    groups = [{"params": base, "lr": lr}, {"params": new, "lr": lr * classifier_ratio}]
    return [group for group in groups if group["params"]]
