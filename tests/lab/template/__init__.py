"""The stack template as a tree with line numbers, and the resolution of its functions. Knows
nothing of AWS's services."""
