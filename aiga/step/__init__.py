"""One step of a run, as a process of its own: `python -m aiga.step ORDER.json`, the same here and in a container.

It runs in the project's environment, so nothing but the standard library and PyYAML is imported, YAML only when needed.

    order      what is to be done                     exits      what the exit code says
    contract   folders and environment of user code   function, command   the two kinds of user code
    process    the child                              watch      what it does until its end
    capture    what it prints                         outcome    whether that is success
    log        `aiga.log` and `aiga.output`           metadata   what is left in metadata.yaml
"""

from __future__ import annotations
