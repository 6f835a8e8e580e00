"""gyp, which builds MediaSoup's C++, looks for abstract classes where Python before 3.10 had them."""

import collections
import collections.abc

for _name in (
    "Callable",
    "Hashable",
    "Iterable",
    "Mapping",
    "MutableMapping",
    "MutableSet",
    "Sequence",
    "Set",
):
    if not hasattr(collections, _name):
        setattr(collections, _name, getattr(collections.abc, _name))
