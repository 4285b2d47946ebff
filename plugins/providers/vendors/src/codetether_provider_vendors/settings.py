"""What can be set of the catalogue of models."""

from __future__ import annotations

from attrs import field, frozen

PUBLISHED = "https://models.dev/api.json"


@frozen(kw_only=True)
class VendorSettings:
    """`[plugins.vendors]`.

    Attributes:
        catalogue_url: where `codetether models refresh` gets the catalogue of models, in the form of models.dev; a
            mirror where that cannot be reached.
    """

    catalogue_url: str = field(default=PUBLISHED, metadata={"env": "CODETETHER_CATALOGUE_URL"})
