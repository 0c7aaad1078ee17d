"""The stack template as a tree with lines, its functions resolved. Nothing of AWS's services yet."""
