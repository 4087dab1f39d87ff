/* The control socket. */
#include "courierhelper/helper.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

bool control_read(int control, struct control_word *word_r)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } more;
    uint8_t text[2] = {0};
    struct iovec octets = {text, sizeof text};
    struct msghdr message = {.msg_iov = &octets,
                             .msg_iovlen = 1,
                             .msg_control = more.bytes,
                             .msg_controllen = CMSG_LEN(sizeof(int))}; /* and no more */
    ssize_t n;
    word_r->fd = -1;
    do
        n = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return false;
    word_r->what = (char)text[0];
    word_r->value = text[1];
    const struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&word_r->fd, CMSG_DATA(c), sizeof(int));
    return n > 0;
}
