"""What can go wrong with a tool.

Exception
├── ToolError    tools are missing and no way to them is left: one message for the user, all tools in it
└── Impossible   one way to one tool is closed; the next way is tried, and the reason kept for the log
"""


class ToolError(Exception):
    """The message is the user's: which tools, what was tried, what helps."""


class Impossible(Exception):
    """Why one way did not work, and what would make it work."""

    def __init__(self, why: str, remedy: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.remedy = remedy
