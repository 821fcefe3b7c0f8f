//! Back-to-back user agent: dialogs and calls.
