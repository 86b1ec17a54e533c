"""Two currencies and the rate between them."""

CURRENCIES = ("CNY", "USD")


def convert(amount: float, currency: str, wanted: str, cny_per_usd: float) -> float:
    """`amount` of `currency` in the `wanted` one. Raises ValueError for a currency that is neither CNY nor USD."""
    if not {currency, wanted} <= set(CURRENCIES):
        raise ValueError(f"{currency} to {wanted}")
    if currency == wanted:
        return amount
    return amount / cny_per_usd if wanted == "USD" else amount * cny_per_usd
