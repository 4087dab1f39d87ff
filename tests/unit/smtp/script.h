/*
 * A mail server that follows a script, on a port of its own, for tests of the client. Steps:
 *   "A"          accept the next connection
 *   "S text"     send text and CRLF
 *   "C text"     read a line, which must be text
 *   "C* text"    read a line, which must begin with text
 *   "D text"     read content up to its end (CRLF.CRLF); it must be text (as on the wire)
 *   "D*"         read content, whatever it is
 *   "D-"         read content, which must break off before its end
 *   "T"          the TLS handshake, as a server with script_tls()'s certificate
 *   "T-"         the TLS handshake, which must fail
 *   "N"          new session tickets without an end, at which the client must hang up
 *   "E"          the client must hang up (it may say QUIT)
 *   "X"          close
 *   "W"          wait for script_go()
 *   "P ms"       take so long
 *   "R"          script_reached() returns
 * What does not fit fails the test in script_end().
 */
#ifndef SCRIPT_H
#define SCRIPT_H

#include "smtp/client.h"

struct script;

struct script *script_begin(const char *const *steps);
int script_port(const struct script *script);
void script_go(struct script *script);
void script_reached(struct script *script);
/* Waits for the end of the script. */
void script_end(struct script **script);

/* PEM files for the servers that begin from now on. */
void script_tls(const char *certificate, const char *key);

/* "Subject: x", an empty line and "hello", to one recipient. */
bool script_send(struct sg_smtp_client *client, const struct sg_smtp_destination *destination,
                 struct sg_smtp_reply *reply, struct sg_error *err);

#endif
