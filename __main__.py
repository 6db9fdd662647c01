"""The program: settings, the platform, and what its users need to know of it."""

import pulumi

from stacks import exports, settings
from stacks.platform import Platform

decided = settings.load()
platform = Platform("platform", decided)
for key, value in exports.table(platform, decided).items():
    pulumi.export(key, value)
