/* The control socket. */
#include "courierhelper/helper.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

bool control_read(int control, char *what_r, int *fd_r)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } more;
    struct iovec text = {what_r, 1};
    struct msghdr message = {.msg_iov = &text,
                             .msg_iovlen = 1,
                             .msg_control = more.bytes,
                             .msg_controllen = CMSG_LEN(sizeof(int))}; /* and no more */
    ssize_t n;
    *fd_r = -1;
    do
        n = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return false;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(fd_r, CMSG_DATA(c), sizeof(int));
    return n > 0;
}
