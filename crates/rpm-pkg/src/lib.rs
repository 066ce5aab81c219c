//! What an RPM package is: header, payload, NEVRA, EVR, dependencies, files, scriptlets.
