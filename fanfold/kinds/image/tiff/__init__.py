"""TIFF by ranges: `reading` finds where a page's tiles or strips lie, `writing` makes a TIFF of some of them."""
