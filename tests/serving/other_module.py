"""Another module, which verifies tokens as the how-to tells it to, and knows nothing of kgl but what it is told.

Its arguments are the page's example, the URL of the published keys, algorithm, issuer and audience. Tokens come in, one
a line; for each goes out what it says, or the name of the error that refused it.
"""

import json
import sys
from typing import Any

example, url, alg, issuer, audience = sys.argv[1:]
scope: dict[str, Any] = {}
exec(example, scope)
scope.update(ALG=alg, ISSUER=issuer, AUDIENCE=audience)
keys = scope["fetch_keys"](url)
for line in sys.stdin:
    try:
        answer = scope["claims_of"](line.rstrip("\n"), keys)
    except scope["jwt"].InvalidTokenError as error:
        answer = type(error).__name__
    sys.stdout.write(json.dumps(answer) + "\n")
assert not {name.partition(".")[0] for name in sys.modules} & {"kgl_core", "kgl_adapters", "kgl_http", "joserfc"}
