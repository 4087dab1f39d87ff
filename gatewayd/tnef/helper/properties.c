#include "tnefreader/properties.h"

#include "tnefreader/cursor.h"

#define MULTIPLE    0x1000
#define FIRST_NAMED 0x8000
#define GUID_BYTES  16
#define NAMED_BY_ID 0
#define ALIGNED_TO  4

/* Bytes of a value of fixed size, padding included; 0: its size stands before it; -1: not known. */
static int size_of(uint16_t type)
{
    switch (type) {
    case 0x0002: /* integer of 16 bits */
    case 0x0003: /* of 32 bits */
    case 0x0004: /* float */
    case 0x000a: /* error */
    case 0x000b: /* boolean */
        return 4;
    case 0x0005: /* double */
    case 0x0006: /* currency */
    case 0x0007: /* application time */
    case 0x0014: /* integer of 64 bits */
    case 0x0040: /* time */
        return 8;
    case 0x0048: /* GUID */
        return GUID_BYTES;
    case SG_MAPI_OBJECT:
    case SG_MAPI_STRING8:
    case SG_MAPI_UNICODE:
    case SG_MAPI_BINARY:
        return 0;
    default:
        return -1;
    }
}

/* The padding behind the last value may be missing. */
static bool take_padded(struct sg_bytes *at, uint32_t len, struct sg_bytes *bytes_r)
{
    if (!cursor_bytes(at, len, bytes_r))
        return false;
    size_t padding = (ALIGNED_TO - len % ALIGNED_TO) % ALIGNED_TO;
    *at = sg_bytes_slice(*at, padding, at->len);
    return true;
}

static bool named(struct sg_mapi_list *list)
{
    struct sg_bytes set, name;
    uint32_t kind, n;
    if (!cursor_bytes(&list->at, GUID_BYTES, &set) || !cursor_u32(&list->at, &kind) ||
        !cursor_u32(&list->at, &n))
        return false;
    list->value.set = set.data;
    return kind == NAMED_BY_ID || take_padded(&list->at, n, &name);
}

static bool property(struct sg_mapi_list *list)
{
    uint16_t type;
    if (!cursor_u16(&list->at, &type) || !cursor_u16(&list->at, &list->value.id))
        return false;
    list->value.type = type & (uint16_t)~MULTIPLE;
    list->value.set = NULL;
    if (list->value.id >= FIRST_NAMED && !named(list))
        return false;
    int size = size_of(list->value.type);
    list->values = 1;
    if (size < 0)
        return false;
    return (size > 0 && !(type & MULTIPLE)) || cursor_u32(&list->at, &list->values);
}

static bool value(struct sg_mapi_list *list)
{
    int size = size_of(list->value.type);
    uint32_t len;
    if (size > 0)
        return cursor_bytes(&list->at, (size_t)size, &list->value.bytes);
    return cursor_u32(&list->at, &len) && take_padded(&list->at, len, &list->value.bytes);
}

bool sg_mapi_list_open(struct sg_bytes bytes, struct sg_mapi_list *list_r)
{
    *list_r = (struct sg_mapi_list){.at = bytes};
    list_r->broken = !cursor_u32(&list_r->at, &list_r->properties);
    return !list_r->broken;
}

bool sg_mapi_list_next(struct sg_mapi_list *list)
{
    while (!list->broken && !list->values) {
        if (!list->properties)
            return false;
        list->properties--;
        list->broken = !property(list);
    }
    if (!list->broken)
        list->broken = !value(list);
    if (list->broken)
        return false;
    list->values--;
    return true;
}
