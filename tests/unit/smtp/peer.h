/* The other end of a connection, in raw octets. Everything fails the test after ten seconds. */
#ifndef PEER_H
#define PEER_H

#include <stddef.h>

/* A private directory; its name stays valid. */
const char *peer_dir(void);
void peer_dir_remove(void);
int peer_connect(const char *unix_path);
void peer_send(int fd, const char *text);
void peer_send_octets(int fd, const char *data, size_t len);
/* One SMTP reply, all its lines, with CRLF; good until the next call. "" at the end of the stream.
 */
const char *peer_reply(int fd);
/* A reply that begins with this. */
void peer_expect(int fd, const char *begin);
void peer_expect_end(int fd);
/* Sends a command, expects a reply. */
void peer_say(int fd, const char *line, const char *begin);

#endif
