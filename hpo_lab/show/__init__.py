"""What a landscape is: its card, and its picture.

``card`` finds the numbers, ``words`` puts them into lines; ``sights`` finds what there is to see,
as arrays, and ``pictures`` draws them. A picture never sees a landscape, as a figure never sees a
run.
"""
