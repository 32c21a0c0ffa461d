"""The operations of a Tensor, a file for each family: its methods, its nodes in the graph, their derivatives."""
