#include "rtf/codepage.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>

enum width { SINGLE, MULTI, SHIFTED /* with escape sequences: not byte by byte */ };

struct known {
    unsigned number;
    const char *charset;
    enum width width;
};

static const struct known known[] = {
    {437, "CP437", SINGLE},          {737, "CP737", SINGLE},
    {775, "CP775", SINGLE},          {850, "CP850", SINGLE},
    {852, "CP852", SINGLE},          {855, "CP855", SINGLE},
    {857, "CP857", SINGLE},          {858, "CP858", SINGLE},
    {860, "CP860", SINGLE},          {861, "CP861", SINGLE},
    {862, "CP862", SINGLE},          {863, "CP863", SINGLE},
    {864, "CP864", SINGLE},          {865, "CP865", SINGLE},
    {866, "CP866", SINGLE},          {869, "CP869", SINGLE},
    {874, "CP874", SINGLE},          {932, "CP932", MULTI},
    {936, "CP936", MULTI},           {949, "CP949", MULTI},
    {950, "CP950", MULTI},           {1200, "UTF-16LE", SHIFTED},
    {1201, "UTF-16BE", SHIFTED},     {1250, "CP1250", SINGLE},
    {1251, "CP1251", SINGLE},        {1252, "CP1252", SINGLE},
    {1253, "CP1253", SINGLE},        {1254, "CP1254", SINGLE},
    {1255, "CP1255", SINGLE},        {1256, "CP1256", SINGLE},
    {1257, "CP1257", SINGLE},        {1258, "CP1258", SINGLE},
    {1361, "JOHAB", MULTI},          {10000, "MACINTOSH", SINGLE},
    {10001, "SHIFT_JIS", MULTI},     {10002, "BIG5", MULTI},
    {10003, "EUC-KR", MULTI},        {10007, "CP10007", SINGLE},
    {10008, "EUC-CN", MULTI},        {10029, "MAC-CENTRALEUROPE", SINGLE},
    {10079, "MAC-IS", SINGLE},       {20127, "US-ASCII", SINGLE},
    {20866, "KOI8-R", SINGLE},       {20932, "EUC-JP", MULTI},
    {20936, "GB2312", MULTI},        {21866, "KOI8-U", SINGLE},
    {28591, "ISO-8859-1", SINGLE},   {28592, "ISO-8859-2", SINGLE},
    {28593, "ISO-8859-3", SINGLE},   {28594, "ISO-8859-4", SINGLE},
    {28595, "ISO-8859-5", SINGLE},   {28596, "ISO-8859-6", SINGLE},
    {28597, "ISO-8859-7", SINGLE},   {28598, "ISO-8859-8", SINGLE},
    {28599, "ISO-8859-9", SINGLE},   {28603, "ISO-8859-13", SINGLE},
    {28605, "ISO-8859-15", SINGLE},  {38598, "ISO-8859-8", SINGLE},
    {50220, "ISO-2022-JP", SHIFTED}, {50221, "ISO-2022-JP", SHIFTED},
    {50222, "ISO-2022-JP", SHIFTED}, {50225, "ISO-2022-KR", SHIFTED},
    {50227, "ISO-2022-CN", SHIFTED}, {51932, "EUC-JP", MULTI},
    {51936, "EUC-CN", MULTI},        {51949, "EUC-KR", MULTI},
    {54936, "GB18030", MULTI},       {65000, "UTF-7", SHIFTED},
    {65001, "UTF-8", MULTI},
};
#define KNOWN (sizeof known / sizeof known[0])

struct sg_codepage {
    const struct known *known;
    bool made;           /* the rest is there */
    iconv_t to_ucs4;     /* (iconv_t)-1 where the system has it not */
    uint32_t table[256]; /* of a SINGLE; 0 where a byte is no character */
};

struct sg_codepages {
    struct sg_codepage *of[KNOWN];
};

static const struct known *find(unsigned codepage)
{
    size_t low = 0, high = KNOWN;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (known[middle].number < codepage)
            low = middle + 1;
        else
            high = middle;
    }
    return low < KNOWN && known[low].number == codepage ? &known[low] : NULL;
}

const char *sg_codepage_charset(unsigned codepage)
{
    const struct known *k = find(codepage);
    return k ? k->charset : NULL;
}

unsigned sg_codepage_of_fcharset(unsigned fcharset)
{
    static const struct {
        uint8_t fcharset;
        uint16_t codepage;
    } map[] = {
        {0, 1252},   {2, 1252},   {77, 10000}, {78, 10001}, {79, 10003}, {80, 10008}, {81, 10002},
        {128, 932},  {129, 949},  {130, 1361}, {134, 936},  {136, 950},  {161, 1253}, {162, 1254},
        {163, 1258}, {177, 1255}, {178, 1256}, {186, 1257}, {204, 1251}, {222, 874},  {238, 1250},
        {254, 437},  {255, 850},  {88, 10029}, {89, 10007},
    };
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++)
        if (map[i].fcharset == fcharset)
            return map[i].codepage;
    return 0;
}

struct sg_codepages *sg_codepages_new(void)
{
    struct sg_codepages *set = calloc(1, sizeof *set);
    if (!set)
        abort();
    return set;
}

void sg_codepages_free(struct sg_codepages **set)
{
    if (!*set)
        return;
    for (size_t i = 0; i < KNOWN; i++)
        if ((*set)->of[i]) {
            if ((*set)->of[i]->made && (*set)->of[i]->to_ucs4 != (iconv_t)-1)
                iconv_close((*set)->of[i]->to_ucs4);
            free((*set)->of[i]);
        }
    free(*set);
    *set = NULL;
}

/* 1, 0 or -1 as sg_codepage_decode(). */
static int convert(const struct sg_codepage *codepage, const uint8_t *bytes, size_t len,
                   uint32_t *c_r)
{
    uint32_t out[4] = {0};
    char *from = (char *)bytes, *to = (char *)out;
    size_t from_left = len, to_left = sizeof out;
    iconv(codepage->to_ucs4, NULL, NULL, NULL, NULL);
    if (iconv(codepage->to_ucs4, &from, &from_left, &to, &to_left) == (size_t)-1)
        return from_left == len && errno == EINVAL ? 0 : -1;
    /* Some keep a character back in case that an accent follows (CP1255, CP1258). */
    iconv(codepage->to_ucs4, NULL, NULL, &to, &to_left);
    if (to_left == sizeof out)
        return -1;
    *c_r = out[0];
    return 1;
}

static void make(struct sg_codepage *codepage)
{
    codepage->made = true;
    codepage->to_ucs4 = iconv_open("UTF-32LE", codepage->known->charset);
    if (codepage->to_ucs4 == (iconv_t)-1 || codepage->known->width != SINGLE)
        return;
    for (unsigned i = 0; i < 256; i++) {
        uint8_t byte = (uint8_t)i;
        convert(codepage, &byte, 1, &codepage->table[i]);
    }
}

struct sg_codepage *sg_codepages_get(struct sg_codepages *set, unsigned codepage)
{
    const struct known *k = find(codepage);
    if (!k || k->width == SHIFTED)
        return NULL;
    struct sg_codepage **of = &set->of[k - known];
    if (!*of && !(*of = calloc(1, sizeof **of)))
        abort();
    (*of)->known = k;
    return *of;
}

int sg_codepage_decode(struct sg_codepage *codepage, const uint8_t *bytes, size_t len,
                       uint32_t *c_r)
{
    if (!codepage->made)
        make(codepage);
    if (codepage->to_ucs4 == (iconv_t)-1)
        return -1;
    if (codepage->known->width == SINGLE) {
        *c_r = codepage->table[bytes[0]];
        return *c_r ? 1 : -1;
    }
    return convert(codepage, bytes, len, c_r);
}
