"""What a private service costs, against DeepSeek's API."""

from dsdeploy.core.cost.money import convert as convert
from dsdeploy.core.cost.predict import demand_region as demand_region
from dsdeploy.core.cost.predict import predict_cost as predict_cost
from dsdeploy.core.cost.predict import requests_per_month as requests_per_month
from dsdeploy.core.cost.prices import load_prices as load_prices
from dsdeploy.core.cost.prices import override_prices as override_prices
from dsdeploy.core.cost.values import Cost as Cost
from dsdeploy.core.cost.values import Prices as Prices
from dsdeploy.core.cost.values import Service as Service
