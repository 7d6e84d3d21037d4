"""The certificate that the proxy serves: got by ACME where the settings say so, put in place, and watched."""
