"""What every way to a release asks of a product: is it good, and may it be shared?

Checks in Dagster, `sjostad audit` and `publish --dry-run` all ask here, so that what one of them
finds the others find as well.
"""

from __future__ import annotations

from lakehouse.contracts import Contracts, ProductContract
from lakehouse.decisions import Decision
from lakehouse.settings import Settings
from lakehouse.verdicts import Verdict


def audited(settings: Settings, contracts: Contracts, product: ProductContract) -> Verdict:
    """Audit a product, beside all that is told of the same people.

    Raises:
        LakeError: The model has not been built.
    """
    from quality import audit_product  # Great Expectations takes seconds to import

    return audit_product(settings, product, beside=contracts.products.values())


def decided(settings: Settings, contracts: Contracts, product: ProductContract) -> Decision:
    """Ask the sharing policy, and whether contract, model, table and suite say the same.

    Raises:
        LakeError: The model has not been built.
    """
    from orchestration.agreement import agreement
    from quality import decide_product

    also = (agreement(settings, contracts, product),)
    return decide_product(settings, contracts, product, also=also)
