-- What 0027 made needless. By itself, for it waits for readers too, and what is built would go with it.
SET LOCAL search_path = sealgate;

DROP INDEX message_recipient_message, trace_event_message;
