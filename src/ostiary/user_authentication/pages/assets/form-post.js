// Sends the answer on at once (OAuth 2.0 Form Post Response Mode, section 2); without scripts there is the button.
document.forms[0].submit();
