"""Taylor-CAM (Lerman, Venuto, Kautz and Xu, ICCV 2021): how pairs of places act together on a class.

Of the score s = log p(y|x) as a function of the last features x_i (i: place, k: channel) it takes the second
derivatives H[i,k,j,l] = d^2 s / dx_ik dx_jl and weighs them by the features. The whole H is never built: of place j
only the product of H with the vector that is 1 at j is needed, one backward pass of the head.

A head that reads u_i = P x_i + b alone has H = P^T G P, G the second derivatives by u: fewer than C numbers a place,
weighed by P x_i in place of x_i and multiplied by P 1 in place of 1.

CAM's head is linear before its softmax: there the interaction of i and j does not depend on j, so that it says nothing
of pairs.
"""

import torch
from torch import Tensor

from calm.attribution.layer_gradients import last_features
from calm.errors import UserError
from calm.networks.heads import Head
from calm.networks.network import Network
from calm.networks.outputs import Output

PLACES_PER_PASS = 16
VARIANTS = ("pairs", "basic")


def pair_interactions(
    score: Tensor,
    features: Tensor,
    *,
    weights: Tensor | None = None,
    direction: Tensor | None = None,
    taylor_variant: str = "pairs",
) -> Tensor:
    """v + v^T, [B,n,n] over the n = h*w places, v_ij = (sum_k x_ik sum_l H[i,k,j,l] d_l)^2; at least 0.

    Args:
        score: [B] (or their sum), twice differentiable in ``features``; image b's depends on its own features only.
        features: those by which H is taken, [B,C,h,w], requiring a gradient.
        weights: x, as ``features``; None: they are the features.
        direction: d, [C]; None: ones.
        taylor_variant: "pairs"; or "basic", where H is summed over the place i first, as Grad-CAM averages gradients.
    """
    if taylor_variant not in VARIANTS:
        raise UserError(f"`taylor_variant` {taylor_variant!r} is unknown: choose {' or '.join(VARIANTS)}")
    places = features[0, 0].numel()
    (gradient,) = torch.autograd.grad(score.sum(), features, create_graph=True)
    if not gradient.requires_grad:  # a linear score
        return features.new_zeros(len(features), places, places)
    weights = (features if weights is None else weights).detach().flatten(2)
    direction = features.new_ones(features.shape[1]) if direction is None else direction
    columns = []
    for some in torch.eye(places, device=features.device, dtype=features.dtype).split(PLACES_PER_PASS):
        at_place = some.view(len(some), 1, 1, *features.shape[2:]) * direction[:, None, None]
        vectors = at_place.expand(-1, *features.shape)
        products = _products(gradient, features, vectors).flatten(3)  # [j,B,C,n]: sum_l H[i,k,j,l] d_l
        if taylor_variant == "basic":
            products = products.sum(dim=3, keepdim=True)
        columns.append((weights * products).sum(dim=2))
    v = torch.cat(columns).movedim(0, 2).square()  # [B,i,j]
    return v + v.mT


def _products(gradient: Tensor, features: Tensor, vectors: Tensor) -> Tensor:
    """H times each vector [m,B,C,h,w], batched by vmap."""
    (products,) = torch.autograd.grad(
        gradient, features, grad_outputs=vectors, is_grads_batched=True, retain_graph=True, materialize_grads=True
    )
    return products


def interactions(module: Network, images: Tensor, targets: Tensor, *, taylor_variant: str = "pairs") -> Tensor:
    """``pair_interactions`` of log p(y|x) at the last features, [B,n,n]; memory for n^2 numbers an image."""
    with torch.inference_mode(False), torch.enable_grad():
        features, targets = last_features(module, images), targets.clone()
        output = module.read_out(features, images=images.clone())
        with torch.autocast(images.device.type, enabled=False):
            projected = _projected(module, features)
        x, output, linear = projected or (features, output, {})
        log_p = output.log_p_y.gather(1, targets[:, None])
        return pair_interactions(log_p, x, **linear, taylor_variant=taylor_variant).detach()


def _projected(module: Network, features: Tensor) -> tuple[Tensor, Output, dict[str, Tensor]] | None:
    """u of what ``features`` are projected to, the output it gives, and how H by u is weighed; None where no u is."""
    head = getattr(module, "head", None)
    if not isinstance(head, Head):  # of a plain module, whose layer may have this name
        return None
    u, constants = (head.projections(module, x) for x in (features, _zero_and_one(features)))
    if u is None or constants is None:
        return None
    u, (bias, of_ones) = u.detach().requires_grad_(True), constants.detach()
    return u, head.of_projections(u), {"weights": u - bias, "direction": (of_ones - bias).flatten()}


def _zero_and_one(features: Tensor) -> Tensor:
    """[2,C,1,1]: one place whose features are all 0, and one whose are all 1."""
    return torch.stack([torch.zeros_like(features[0, :, :1, :1]), torch.ones_like(features[0, :, :1, :1])])


def place_map(interaction: Tensor, grid: tuple[int, int], *, taylor_self: bool = True) -> Tensor:
    """[B,n,n] -> [B,h,w]: sum over the places j of the interaction with j; ``taylor_self`` counts j = i too."""
    maps = interaction.sum(dim=2)
    if not taylor_self:
        maps = maps - interaction.diagonal(dim1=1, dim2=2)
    return maps.unflatten(1, grid)


def partners(interaction: Tensor, grid: tuple[int, int], cell: int) -> Tensor:
    """[B,n,n] -> [B,h,w]: the interaction of every place with ``cell`` (row-major index)."""
    if not 0 <= cell < interaction.shape[1]:
        raise UserError(f"`taylor_cell`={cell} is outside the {grid[0]}x{grid[1]} cells of the map")
    return interaction[:, cell].unflatten(1, grid)


def strongest_pairs(interaction: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` pairs i < j that interact most: (values [B,count], places [B,count,2]), strongest first."""
    places = interaction.shape[1]
    i, j = torch.triu_indices(places, places, offset=1, device=interaction.device)
    values, index = interaction[:, i, j].topk(min(count, len(i)), dim=1)
    return values, torch.stack([i[index], j[index]], dim=2)


def taylorcam(
    module: Network,
    images: Tensor,
    targets: Tensor,
    *,
    taylor_variant: str = "pairs",
    taylor_self: bool = True,
    taylor_cell: int | None = None,
) -> Tensor:
    """Each place's interactions added up, [B,h,w]; or those with one place. A reduction of ours: the paper shows pairs.

    Args:
        module: network in eval mode.
        images: [B,3,H,W].
        targets: [B] class indices.
        taylor_variant: "pairs" or "basic"; see ``pair_interactions``.
        taylor_self: count a place's interaction with itself.
        taylor_cell: row-major index of a cell: the map of its partners.
    """
    with torch.no_grad():
        maps = []
        for image, target in zip(images.split(1), targets.split(1)):
            interaction = interactions(module, image, target, taylor_variant=taylor_variant)
            height, width = module.features(image).shape[2:]
            if taylor_cell is None:
                maps.append(place_map(interaction, (height, width), taylor_self=taylor_self))
            else:
                maps.append(partners(interaction, (height, width), taylor_cell))
        return torch.cat(maps)
