/*
 * Checks of single values, of type api_check (json_spec.h): each refuses what is not one and puts
 * the form that is stored in its place. The error's detail says what is wrong, the caller where.
 */
#ifndef SG_API_CHECK_H
#define SG_API_CHECK_H

#include "common/arena.h"
#include "common/error.h"

/* A name for people: no white space at its ends. */
bool api_check_name(struct sg_arena *arena, const char **value, struct sg_error *err);
/* Two labels or more of letters, digits, hyphens; lower-cased. No wildcard, address, final dot. */
bool api_check_dns_name(struct sg_arena *arena, const char **value, struct sg_error *err);
/*
 * The name of a domain that can be owned: as above, an internationalised one in either form (stored
 * as A-labels), no public suffix, and short enough for its challenge.
 */
bool api_check_domain(struct sg_arena *arena, const char **value, struct sg_error *err);
/* A DNS name as above, or an IPv4 or IPv6 address (without brackets). */
bool api_check_host(struct sg_arena *arena, const char **value, struct sg_error *err);
/*
 * An address or a CIDR network with no host bit set; "192.0.2.1" becomes "192.0.2.1/32". Networks
 * wider than /8 (IPv6: /32) and IPv4-mapped ones are refused.
 */
bool api_check_network(struct sg_arena *arena, const char **value, struct sg_error *err);
/* SHA-256 in hexadecimal, with or without colons; becomes lower case without. */
bool api_check_fingerprint(struct sg_arena *arena, const char **value, struct sg_error *err);
/* ldap:// or ldaps://, a host, perhaps a port; nothing behind. */
bool api_check_ldap_url(struct sg_arena *arena, const char **value, struct sg_error *err);
/* A distinguished name (RFC 4514) by its outer form: attribute=value, separated by commas. */
bool api_check_dn(struct sg_arena *arena, const char **value, struct sg_error *err);
/* The name of a file in the daemons' credentials directories: no folder, no dot in front. */
bool api_check_credential(struct sg_arena *arena, const char **value, struct sg_error *err);
/* An envelope address as a filter: lower-cased; "<>" becomes "" (the null sender). */
bool api_check_address(struct sg_arena *arena, const char **value, struct sg_error *err);
/* An address that mail can be sent to, alone and without a name; lower-cased. */
bool api_check_mailbox(struct sg_arena *arena, const char **value, struct sg_error *err);
/* A Message-ID as a filter: without its angle brackets. */
bool api_check_message_id(struct sg_arena *arena, const char **value, struct sg_error *err);
/* Scopes, as "domains:read held:write"; becomes the shortest list that says the same. */
bool api_check_scope(struct sg_arena *arena, const char **value, struct sg_error *err);
/* A month, "2026-11"; becomes its first day. */
bool api_check_month(struct sg_arena *arena, const char **value, struct sg_error *err);
/* An id of a tenant. */
bool api_check_tenant_id(struct sg_arena *arena, const char **value, struct sg_error *err);

#endif
