/*
 * Windows code pages by their number, as RTF and TNEF name them: which charset that is for iconv,
 * and a decoder that takes bytes one at a time.
 */
#ifndef SG_RTF_CODEPAGE_H
#define SG_RTF_CODEPAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* iconv's name for a code page, NULL for one that is not known. */
const char *sg_codepage_charset(unsigned codepage);
/* The code page of a font's \fcharset; 0 for "the document's own" and for those not known. */
unsigned sg_codepage_of_fcharset(unsigned fcharset);

/* Decoders: of each code page one, made when it is first used. */
struct sg_codepages;
struct sg_codepage;

struct sg_codepages *sg_codepages_new(void);
void sg_codepages_free(struct sg_codepages **set);
/* NULL for a code page that is not known. */
struct sg_codepage *sg_codepages_get(struct sg_codepages *set, unsigned codepage);

#define SG_CODEPAGE_CHARACTER 4 /* bytes that a character has at most */

/* 1: *c_r is the character; 0: bytes are its beginning, more are needed; -1: they are none. */
int sg_codepage_decode(struct sg_codepage *codepage, const uint8_t *bytes, size_t len,
                       uint32_t *c_r);

#endif
