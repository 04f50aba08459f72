"""The exercises of each notebook: n04.py holds those of notebook 04.

Each module has one name that counts, ``EXERCISES``: a tuple of
`alexnet_lab.exercises.Exercise`, numbered from 1 in the order of the notebook.
"""
