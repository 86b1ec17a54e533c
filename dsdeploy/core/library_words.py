"""What libraries and other programs say of usual faults, in their own English: which message says the same."""

import re

_KNOWN = (
    # OpenSSL through Python's ssl, and Go's crypto/tls through Helm, Docker and registries
    (r"certificate has expired(?! or)", "library-expired"),
    (r"certificate has expired or is not yet valid", "library-expired-or-early"),
    (r"certificate is not yet valid", "library-early"),
    (r"self[- ]signed certificate", "library-self-signed"),
    (r"unable to get (local )?issuer certificate|signed by unknown authority", "library-issuer"),
    (r"hostname mismatch|doesn't match|certificate is valid for|not valid for any names", "library-host"),
    (r"wrong[ _]version[ _]number|http response to https client|first record does not look like", "library-no-tls"),
    (r"unsupported[ _]protocol|alert protocol version|no protocols available", "library-tls-version"),
    (r"handshake[ _]failure", "library-handshake"),
    (r"unexpected[ _]eof|eof occurred in violation|(?<!\w)EOF$", "library-cut"),
    # connections
    (r"cannot connect to the docker daemon|is the docker daemon running", "library-docker-away"),
    (r"permission denied.*docker|docker.*permission denied", "library-docker-denied"),
    (r"connection refused", "library-refused"),
    (r"connection reset by peer|connection aborted", "library-reset"),
    (r"no such host|failed to resolve|name or service not known", "library-no-host"),
    (r"no route to host|network is unreachable", "library-no-route"),
    (r"timed out waiting for the condition|resource .* not ready", "library-not-ready"),
    (r"deadline exceeded|i/o timeout|timed out|timeout awaiting", "library-timeout"),
    # Docker and registries
    (r"no space left on device", "library-disk-full"),
    (r"port is already allocated|address already in use", "library-port-taken"),
    (r"manifest unknown|manifest for .* not found|no such image", "library-no-image"),
    (r"pull access denied|unauthorized|authentication required", "library-unauthorized"),
    (r"could not select device driver|unknown or invalid runtime name", "library-no-runtime"),
    (r"no such container", "library-no-container"),
    # Helm and Kubernetes
    (r"context .* does not exist", "library-no-context"),
    (r"exceeded quota", "library-quota"),
    (r"is forbidden|forbidden: user", "library-forbidden"),
    (r"kubernetes cluster unreachable", "library-cluster-away"),
    (r"failed calling webhook", "library-webhook"),
    (r"invalid ownership metadata", "library-not-ours"),
    # keys: OpenSSL, cryptography, PKCS#11
    (r"bad decrypt|incorrect password|maybe wrong password", "library-password"),
    (r"pin_?(is )?incorrect|ckr_pin_invalid", "library-pin"),
    (r"pin_?locked", "library-pin-locked"),
    (r"token_?not_?present|device_?removed", "library-token-away"),
    (r"could not deserialize|unable to load pem|no start line|malformedframing", "library-no-key"),
)
_PATTERNS = tuple((re.compile(pattern, re.IGNORECASE), id) for pattern, id in _KNOWN)


def library_message(words: str) -> str | None:
    """The id of the message that says what `words` say; None of what is not known. The first that is found counts."""
    return next((id for pattern, id in _PATTERNS if pattern.search(words)), None)
