/* classify/native_class.c - see native_class.h.
 *
 * Sources: KumoMTA docs/reference/kumo/configure_bounce_classifier.md (predefined classes); PowerMTA User's Guide 5.0, 11.6 (bounce
 *          categories); support.sparkpost.com, "Bounce Classification Codes"; Amazon SES Developer Guide, "Bounce types";
 *          docs.sendgrid.com, "Bounce classification"; documentation.mailgun.com, "Events" (reason).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/native_class.h"

/* What is not here hints at nothing: Uncategorized, other, Undetermined, Unclassified and 1 say nothing; 20, 40, 70,
 * TransientFailure, Technical, Permanent/General and Transient/General are mixed over all classes; BadDomain and bad-domain would be
 * hard and are not about the mailbox; what is no failure (90 unsubscribe, 60 auto-reply, 25 admin) has a kind of its own. */
static const struct {
    const char *name;
    enum category category;
} HINTS[] = {
    /* KumoMTA */
    {"InvalidRecipient", CATEGORY_SOFT_OTHER},
    {"InactiveMailbox", CATEGORY_SOFT_OTHER},
    {"QuotaIssues", CATEGORY_SOFT_OTHER}, /* also the size of the message, and the server's disk */
    {"DNSFailure", CATEGORY_DNS_FAILURE},
    {"BadConnection", CATEGORY_CONNECTION_FAILED},
    {"NoAnswerFromHost", CATEGORY_CONNECTION_FAILED},
    {"RoutingErrors", CATEGORY_ROUTING_ERROR},
    {"RelayDenied", CATEGORY_RELAY_DENIED},
    {"RelayingIssues", CATEGORY_RELAY_DENIED},
    {"MessageExpired", CATEGORY_EXPIRED},
    {"TooManyRecipients", CATEGORY_TOO_MANY_RECIPIENTS},
    {"ProtocolErrors", CATEGORY_PROTOCOL_ERROR},
    {"BadConfiguration", CATEGORY_PROTOCOL_ERROR},
    {"SpamBlock", CATEGORY_REPUTATION_BLOCK},
    {"SpamContent", CATEGORY_SPAM_CONTENT},
    {"SpamRelated", CATEGORY_SPAM_CONTENT},
    {"PolicyRelated", CATEGORY_POLICY_BLOCK},
    {"AuthenticationFailed", CATEGORY_AUTH_FAILED},
    {"InvalidSender", CATEGORY_SENDER_REJECTED},
    {"VirusRelated", CATEGORY_VIRUS},
    {"ProhibitedAttachment", CATEGORY_PROHIBITED_CONTENT},
    {"ContentRelated", CATEGORY_PROHIBITED_CONTENT},
    /* PowerMTA */
    {"bad-mailbox", CATEGORY_SOFT_OTHER},
    {"inactive-mailbox", CATEGORY_SOFT_OTHER},
    {"quota-issues", CATEGORY_SOFT_OTHER}, /* mixed as KumoMTA's */
    {"bad-connection", CATEGORY_CONNECTION_FAILED},
    {"no-answer-from-host", CATEGORY_CONNECTION_FAILED},
    {"routing-errors", CATEGORY_ROUTING_ERROR},
    {"relaying-issues", CATEGORY_RELAY_DENIED},
    {"message-expired", CATEGORY_EXPIRED},
    {"protocol-errors", CATEGORY_PROTOCOL_ERROR},
    {"bad-configuration", CATEGORY_PROTOCOL_ERROR},
    {"spam-related", CATEGORY_SPAM_CONTENT},
    {"policy-related", CATEGORY_POLICY_BLOCK},
    {"invalid-sender", CATEGORY_SENDER_REJECTED},
    {"virus-related", CATEGORY_VIRUS},
    {"content-related", CATEGORY_PROHIBITED_CONTENT},
    /* SparkPost, Momentum, GreenArrow */
    {"10", CATEGORY_SOFT_OTHER},
    {"30", CATEGORY_SOFT_OTHER},
    {"22", CATEGORY_MAILBOX_FULL},
    {"21", CATEGORY_DNS_FAILURE},
    {"23", CATEGORY_MESSAGE_TOO_LARGE},
    {"24", CATEGORY_EXPIRED},
    {"50", CATEGORY_POLICY_BLOCK},
    {"51", CATEGORY_REPUTATION_BLOCK},
    {"52", CATEGORY_SPAM_CONTENT},
    {"53", CATEGORY_PROHIBITED_CONTENT},
    {"54", CATEGORY_RELAY_DENIED},
    /* Amazon SES */
    {"Permanent/NoEmail", CATEGORY_SOFT_OTHER},
    {"Transient/MailboxFull", CATEGORY_MAILBOX_FULL},
    {"Transient/MessageTooLarge", CATEGORY_MESSAGE_TOO_LARGE},
    {"Transient/ContentRejected", CATEGORY_SPAM_CONTENT},
    {"Transient/AttachmentRejected", CATEGORY_PROHIBITED_CONTENT},
    /* SendGrid, which spells some in two ways */
    {"Invalid Address", CATEGORY_SOFT_OTHER},
    {"Mailbox Unavailable", CATEGORY_SOFT_OTHER},
    {"Reputation", CATEGORY_REPUTATION_BLOCK},
    {"Content", CATEGORY_SPAM_CONTENT},
    {"Frequency/Volume", CATEGORY_RATE_LIMITED},
    {"Frequency or Volume Too High", CATEGORY_RATE_LIMITED},
    /* Mailgun */
    {"greylisted", CATEGORY_GREYLISTED},
};

enum category native_class_find(struct span name)
{
    for (size_t i = 0; i < sizeof(HINTS) / sizeof(HINTS[0]); i++) {
        if (span_equal_nocase(span_of(HINTS[i].name), name)) {
            return HINTS[i].category;
        }
    }
    return CATEGORY_NONE;
}

enum category native_class_hint(enum kind kind, struct span name)
{
    const enum category category = native_class_find(name);
    const enum class class_ = category_class(category);
    return kind_is_final(kind) || class_ == CLASS_BLOCK || class_ == CLASS_TECHNICAL
               ? category
               : CATEGORY_NONE;
}
