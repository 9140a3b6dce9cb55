"""PyTorch's gradients of a network: the oracle of ours."""
import copy

import torch
from torch import nn


def gradients(network, inputs):
    """By parameter name, of the sum of all squared outputs; in train mode, without dropout."""
    network = copy.deepcopy(network).train()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0
        elif hasattr(module, 'dropout') and not isinstance(module.dropout, nn.Module):
            module.dropout = 0.0
    outputs = network(*inputs.values())
    sum(output.square().sum() for output in (outputs if isinstance(outputs, tuple) else (outputs,))).backward()
    return {name: parameter.grad.numpy() for name, parameter in network.named_parameters() if parameter.grad is not None}
