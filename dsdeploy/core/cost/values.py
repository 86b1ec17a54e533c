"""What a service costs, and what is known of prices: in one currency, from low to high in the sense of cost."""

from dataclasses import dataclass, replace

from dsdeploy.core.band import Band
from dsdeploy.core.texts import Text

ENDS = ("low", "expected", "high")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure that a cost rests on. `low` is the end that makes the service cheaper, even where its number is more.

    `unit` begins with the currency where the figure is money. `source` is "assumption" where we know no source.
    """

    low: float
    expected: float
    high: float
    unit: str
    date: str
    source: str

    def at(self, end: str) -> float:
        return {"low": self.low, "expected": self.expected, "high": self.high}[end]

    def times(self, factor: float) -> "Figure":
        return replace(self, low=self.low * factor, expected=self.expected * factor, high=self.high * factor)


@dataclass(frozen=True, slots=True)
class AcceleratorPrice:
    """`purchase` buys `purchase_devices` of them: 1 alone, more with the server around them. None is unknown.

    `power_w` stands in for the catalogue's where the user knows better.
    """

    purchase: Figure | None = None
    purchase_devices: int = 1
    rent_per_hour: Figure | None = None
    power_w: Figure | None = None


@dataclass(frozen=True, slots=True)
class TokenPrices:
    """Per million tokens."""

    input_hit: float
    input_miss: float
    output: float


@dataclass(frozen=True, slots=True)
class ApiPrice:
    """DeepSeek's own list: off-peak prices by currency; in peak hours each is `peak_factor` times that."""

    model: str
    name: str
    offered: bool
    since: str
    date: str
    source: str
    peak_factor: float
    off_peak: dict[str, TokenPrices]


@dataclass(frozen=True, slots=True)
class Region:
    currency: str
    power_per_kwh: Figure
    floor_per_kw_month: Figure
    salary_per_year: Figure


@dataclass(frozen=True, slots=True)
class Prices:
    """Every figure with its date and source. `host_w_per_device` is what a server draws beside one accelerator;
    `load_share` is the mean draw over the rated one; `staff` are people for one service, `peak_hours_per_month` how
    many hours of peak load make a month's requests, `api_peak_share` which part of them falls into the API's peak
    hours."""

    cny_per_usd: Figure
    pue: Figure
    load_share: Figure
    host_w_per_device: Figure
    server: Figure
    maintenance_share_per_year: Figure
    depreciation_years: Figure
    staff: Figure
    peak_hours_per_month: Figure
    api_peak_share: Figure
    regions: dict[str, Region]
    api: tuple[ApiPrice, ...]
    accelerators: dict[str, AcceleratorPrice]
    sources: dict[str, str]


@dataclass(frozen=True, slots=True)
class Service:
    """What is to be priced. `accelerator` is a catalogue id or "cpu", `devices` and `nodes` are all there are.

    `output_tokens_per_s` is what the whole service delivers at the planned load. Tokens are means of one request;
    `cache_share` is the part of the prompt that the prefix cache answers. `hours_per_month` are the hours in which it
    is used. Without `api_model` the comparison is with the cheapest that DeepSeek offers.
    """

    accelerator: str
    devices: int
    nodes: int
    output_tokens_per_s: Band | None
    prompt_tokens: float
    output_tokens: float
    cache_share: float
    requests_per_month: float
    hours_per_month: float = 730.0
    rented: bool = False
    region: str = "cn"
    months: int = 36
    api_model: str | None = None


@dataclass(frozen=True, slots=True)
class Term:
    """One part of the monthly cost: hardware, rent, maintenance, power, floor or staff. None is unknown."""

    name: str
    per_month: Band | None


@dataclass(frozen=True, slots=True)
class ApiComparison:
    """One model of DeepSeek's API under the same requests.

    `break_even_tokens_per_month` counts prompt and output tokens: from there on the private service is cheaper, if it
    can serve so many (`within_capacity`; None where its speed is unknown). `break_even_month` is when the outlay has
    come back at the planned volume, None where it never does within the depreciation time.
    """

    model: str
    name: str
    per_month: float
    per_million_output_tokens: float | None
    break_even_tokens_per_month: float | None
    break_even_month: int | None
    within_capacity: bool | None
    date: str


@dataclass(frozen=True, slots=True)
class Swing:
    """The break-even volume in tokens per month when one input is 30 % lower and 30 % higher."""

    name: str
    at_less: float
    at_more: float


@dataclass(frozen=True, slots=True)
class Cost:
    """Money is in `currency`; `cny_per_usd` converts. What rests on a missing figure is None, and `missing` names it.

    `utilisation` is the planned output tokens over what the service could deliver in its hours.
    """

    currency: str
    cny_per_usd: float
    months: int
    rented: bool
    terms: tuple[Term, ...]
    outlay: Band | None
    per_month: Band | None
    total: Band | None
    utilisation: float | None
    per_million_output_tokens: Band | None
    per_million_at_capacity: Band | None
    api: tuple[ApiComparison, ...]
    sensitivity: tuple[Swing, ...]
    missing: tuple[Text, ...]
    warnings: tuple[Text, ...]
    assumptions: tuple[Text, ...]
