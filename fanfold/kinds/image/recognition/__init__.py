"""Text and faces, recognised piece by piece.

`pieces` says which pieces an image has, `working` has one recognised, `seams` makes one list of what all of them saw.
`embedded` is the engine that needs no service: `lines` reads text, `faces` finds faces.
"""
