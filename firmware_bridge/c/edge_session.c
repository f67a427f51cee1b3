/*
 * Streams: which packet belongs to which, in what order, what was lost, when each ends.
 *
 * Knows the meaning of packets but not their bytes, so every framing feeds the same session.
 * The pipe keeps the order (`hold` is 0), so no superframe is kept waiting.
 */
#include "edge_link.h"

#include <string.h>

/* A HELLO further back than this was not delayed: the count went astray and starts anew. */
#define STEP_BACK_LIMIT 8
#define DELIVERED_KEPT 64

static void tell(const edge_session_t *session, edge_event_t *event, edge_event_kind_t kind,
                 uint8_t tag)
{
    event->kind = kind;
    event->stream_tag = tag;
    session->on_event(session->user, event);
}

static edge_stream_t *find(edge_session_t *session, uint8_t tag)
{
    for (uint8_t i = 0; i < session->count; i++)
        if (session->streams[i].tag == tag)
            return &session->streams[i];
    return NULL;
}

static void finish(edge_session_t *session, edge_stream_t *stream, edge_end_t reason)
{
    edge_event_t event = {.as.end = reason};
    if (!stream->is_over)
        tell(session, &event, EDGE_EVENT_ENDED, stream->tag);
    stream->is_over = true;
}

static void forget(edge_session_t *session, edge_stream_t *stream, edge_end_t reason)
{
    finish(session, stream, reason);
    edge_stream_t *last = &session->streams[--session->count];
    memmove(stream, stream + 1, (size_t)(last - stream) * sizeof *stream);
}

static void replace(edge_session_t *session, edge_stream_t *stream)
{
    if (!stream->is_over)
        session->stats.streams_replaced++;
    forget(session, stream, EDGE_END_REPLACED);
}

/* An ended stream, else the one silent for longest. */
static edge_stream_t *most_dispensable(edge_session_t *session, uint32_t now_ms)
{
    edge_stream_t *most = &session->streams[0];
    for (uint8_t i = 1; i < session->count; i++) {
        edge_stream_t *other = &session->streams[i];
        bool is_older = now_ms - other->heard_ms > now_ms - most->heard_ms;
        if (other->is_over != most->is_over ? other->is_over : is_older)
            most = other;
    }
    return most;
}

static edge_stream_t *start(edge_session_t *session, uint8_t tag, uint8_t sequence,
                            const edge_profile_t *profile, uint32_t now_ms)
{
    if (session->count == EDGE_MAX_STREAMS)
        replace(session, most_dispensable(session, now_ms));
    edge_stream_t *stream = &session->streams[session->count++];
    memset(stream, 0, sizeof *stream);
    stream->profile = *profile;
    stream->next = sequence;
    stream->tag = tag;
    session->stats.streams_started++;
    edge_event_t event = {.as.profile = &stream->profile};
    tell(session, &event, EDGE_EVENT_STARTED, tag);
    return stream;
}

/* The stream of this tag and profile, begun if it is new; heard now unless it is over. */
static edge_stream_t *hear(edge_session_t *session, uint8_t tag, uint8_t sequence,
                           const edge_profile_t *profile, uint32_t now_ms)
{
    edge_stream_t *stream = find(session, tag);
    if (stream != NULL && !edge_profile_equals(&stream->profile, profile)) {
        replace(session, stream);
        stream = NULL;
    }
    if (stream == NULL)
        stream = start(session, tag, sequence, profile, now_ms);
    if (!stream->is_over)
        stream->heard_ms = now_ms;
    return stream;
}

/* The number with these low 8 bits that lies nearest to the next one. */
static int32_t extend(const edge_stream_t *stream, uint8_t sequence)
{
    uint8_t ahead = (uint8_t)((uint32_t)sequence - (uint32_t)stream->next + 128u);
    return stream->next + ahead - 128;
}

static void count_up(edge_stream_t *stream, int32_t numbers, bool is_delivered)
{
    stream->delivered = numbers < DELIVERED_KEPT ? stream->delivered << numbers : 0;
    stream->delivered |= is_delivered ? 1u : 0u;
    stream->next += numbers;
}

/* Give up everything before `number`. */
static void lose_before(edge_session_t *session, edge_stream_t *stream, int32_t number)
{
    int32_t count = number - stream->next;
    if (count <= 0)
        return;
    edge_event_t event = {.as.lost = {(uint32_t)stream->next, (uint32_t)count}};
    session->stats.voice_lost += (uint32_t)count;
    count_up(stream, count, false);
    tell(session, &event, EDGE_EVENT_LOST, stream->tag);
}

static void deliver(edge_session_t *session, edge_stream_t *stream, edge_frames_t frames,
                    bool is_own)
{
    edge_event_t event = {.as.frames = frames};
    event.as.frames.sequence = (uint32_t)stream->next;
    event.as.frames.profile = &stream->profile;
    count_up(stream, 1, is_own);
    tell(session, &event, EDGE_EVENT_FRAMES, stream->tag);
}

/* Fill the gap before `number` with the base class that came again, lose the rest of it. */
static void close_gap(edge_session_t *session, edge_stream_t *stream, int32_t number,
                      const edge_voice_t *voice)
{
    int32_t again = number - (voice != NULL ? voice->red_distance : 0);
    if (again >= stream->next && again < number) {
        edge_frames_t frames = {.base = voice->red, .layers = stream->profile.base_layers};
        lose_before(session, stream, again);
        deliver(session, stream, frames, false);
        session->stats.voice_recovered++;
    }
    lose_before(session, stream, number);
}

void edge_session_init(edge_session_t *session, edge_event_fn on_event, void *user)
{
    memset(session, 0, sizeof *session);
    session->on_event = on_event;
    session->user = user;
}

const edge_profile_t *edge_session_profile(const edge_session_t *session, uint8_t tag)
{
    for (uint8_t i = 0; i < session->count; i++)
        if (session->streams[i].tag == tag)
            return &session->streams[i].profile;
    return NULL;
}

static bool is_other_nonce(const edge_stream_t *stream, const edge_hello_t *hello)
{
    return stream->has_nonce && memcmp(stream->nonce, hello->nonce, sizeof hello->nonce) != 0;
}

static void note_hello(edge_session_t *session, edge_stream_t *stream,
                       const edge_hello_t *hello)
{
    edge_event_t event = {.as.hello = hello};
    memcpy(stream->nonce, hello->nonce, sizeof stream->nonce);
    stream->has_nonce = true;
    tell(session, &event, EDGE_EVENT_HELLO, stream->tag);
}

void edge_session_hello(edge_session_t *session, uint8_t tag, uint8_t sequence,
                        const edge_hello_t *hello, uint32_t now_ms)
{
    session->stats.hello_received++;
    edge_stream_t *stream = find(session, tag);
    if (stream != NULL && is_other_nonce(stream, hello))
        replace(session, stream);
    stream = hear(session, tag, sequence, &hello->profile, now_ms);
    if (stream->is_over)
        return;
    if (extend(stream, sequence) < stream->next - STEP_BACK_LIMIT) {
        stream->next = sequence;
        stream->delivered = 0;
    }
    note_hello(session, stream, hello);
}

void edge_session_end(edge_session_t *session, uint8_t tag, uint8_t sequence,
                      const edge_hello_t *hello, uint32_t now_ms)
{
    session->stats.end_received++;
    edge_stream_t *stream = find(session, tag);
    if (stream == NULL || stream->is_over || is_other_nonce(stream, hello))
        return;
    stream->heard_ms = now_ms;
    note_hello(session, stream, hello);
    lose_before(session, stream, extend(stream, sequence));
    finish(session, stream, EDGE_END_SAID);
}

static bool was_delivered(const edge_stream_t *stream, int32_t number)
{
    int32_t back = stream->next - 1 - number;
    return back < DELIVERED_KEPT && (stream->delivered >> back & 1u) != 0;
}

void edge_session_voice(edge_session_t *session, uint8_t tag, uint8_t sequence,
                        const edge_frames_t *frames, const edge_voice_t *voice,
                        uint32_t now_ms)
{
    session->stats.voice_received++;
    edge_stream_t *stream = hear(session, tag, sequence, frames->profile, now_ms);
    int32_t number = extend(stream, sequence);
    if (stream->is_over) {
        session->stats.voice_late++;
    } else if (number >= stream->next) {
        close_gap(session, stream, number, voice);
        deliver(session, stream, *frames, true);
        session->stats.voice_delivered++;
    } else if (was_delivered(stream, number)) {
        session->stats.voice_duplicate++;
    } else {
        session->stats.voice_late++;
    }
}

void edge_session_lost(edge_session_t *session, uint8_t tag, uint8_t sequence)
{
    edge_stream_t *stream = find(session, tag);
    if (stream != NULL && !stream->is_over)
        lose_before(session, stream, extend(stream, sequence) + 1);
}

void edge_session_damaged(edge_session_t *session, edge_damage_t reason)
{
    edge_event_t event = {.as.damage = reason};
    if (reason <= EDGE_DAMAGE_OVERSIZE)
        session->stats.damaged_framing++;
    else if (reason == EDGE_DAMAGE_CRC)
        session->stats.damaged_crc++;
    else
        session->stats.refused++;
    tell(session, &event, EDGE_EVENT_DAMAGED, 0);
}

void edge_session_tick(edge_session_t *session, uint32_t now_ms)
{
    for (uint8_t i = 0; i < session->count;) {
        edge_stream_t *stream = &session->streams[i];
        if (now_ms - stream->heard_ms >= EDGE_STREAM_TIMEOUT_MS)
            forget(session, stream, EDGE_END_TIMEOUT);
        else
            i++;
    }
}
