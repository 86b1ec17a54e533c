"""A user's own prices, from a YAML file."""

from pathlib import Path

from dsdeploy.core.cost.prices import load_prices, override_prices
from dsdeploy.core.cost.values import Prices
from dsdeploy.core.errors import PricesUnreadable
from dsdeploy.core.texts import text


def read_prices(path: Path | None) -> Prices:
    """The price data, with the file's figures in place of ours. Raises PricesUnreadable, which names the key."""
    if path is None:
        return load_prices()
    import yaml

    try:
        return override_prices(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise PricesUnreadable(text("prices-unreadable", path=path, reason=error), hint=text("prices-hint")) from error
