import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Kysely } from 'kysely'
import type { Catalog } from '../../core/catalog/catalog.ts'
import { formatReplayId, type InstallKeys, parseReplayId } from '../../core/notification/ids.ts'
import { countDeadLetters, listDeadLetters } from '../../core/store/dead-letters.ts'
import {
  cancelReplay,
  createReplay,
  listReplays,
  readReplay,
  resumeReplay,
} from '../../core/store/replays.ts'
import type { Database } from '../../core/store/schema.ts'
import { allowNoBody } from '../http/json-body.ts'
import { type PageQuery, pageParameters, readPage } from '../http/page.ts'
import { invalidRequest, notFound, sendProblem } from '../http/problem.ts'
import { tenantOf } from '../http/tenant.ts'
import { jsonSchema } from '../http/validation.ts'
import { answer, bodyProblems, problems } from '../openapi/documentation.ts'
import { defaultRate, readFilter, type ReplayRequest, replayRequestSchema } from '../replay/request.ts'
import {
  dryRunResource,
  presentDryRun,
  presentReplay,
  presentReplays,
  type ReplayResource,
  replayPage,
  replayResource,
} from '../replay/resources.ts'
import { deadLetterExample } from './dead-letters.ts'

/** Dead letters shown by a dry run. */
const shownExamples = 5

const tags = ['dead letters']
const pendingExample: ReplayResource = {
  id: 'rpl_067nhxg0znrqh8ssm9zm9qbm4r',
  status: 'pending',
  filter: { channels: ['email'], until: '2026-11-30T13:05:00.000Z' },
  rate: 50,
  matched: 1_240,
  replayed: 0,
  skipped: 0,
  skipped_reasons: {},
  remaining: 1_240,
  created_at: '2026-11-30T13:05:00.000Z',
  updated_at: '2026-11-30T13:05:00.000Z',
}
const example: ReplayResource = {
  ...pendingExample,
  status: 'running',
  replayed: 640,
  skipped: 2,
  skipped_reasons: { expired: 2 },
  remaining: 598,
  started_at: '2026-11-30T13:05:00.600Z',
  updated_at: '2026-11-30T13:05:13.600Z',
}

/** The routes below `/v1/replays`. */
export function replays(
  app: FastifyInstance,
  { db, keys, catalog }: { db: Kysely<Database>; keys: InstallKeys; catalog: Catalog },
): void {
  const post = {
    operationId: 'createReplay',
    summary: 'Replay dead letters',
    description:
      'Hands dead letters to the workers of their channels once more, each with a fresh budget of attempts, at a bounded rate. Ask with `dry_run` first. May be repeated: a dead letter is sent once, however many replays name it. What is dead-lettered after this request is not part of it.',
    tags,
    body: jsonSchema(replayRequestSchema),
    response: {
      200: answer('What would be replayed (`dry_run`).', dryRunResource, {
        dry_run: true,
        matched: 1_240,
        expired: 2,
        waiting: 0,
        breakdown: [{ channel: 'email', reason: 'retries_exhausted', count: 1_240 }],
        examples: [deadLetterExample],
      }),
      202: {
        ...answer('Accepted: `Location` shows how far it is.', replayResource, pendingExample),
        headers: { Location: { type: 'string', description: 'Path of the replay.' } },
      },
      ...problems(...bodyProblems, 503),
    },
  }
  app.post<{ Body: ReplayRequest }>('/v1/replays', { schema: post }, async (request, reply) => {
    const tenant = tenantOf(request)
    const { filter: wanted = {}, dry_run: dryRun, rate = defaultRate, limit } = request.body
    const read = readFilter(wanted, { catalog, keys, tenant })
    if (read.kind === 'invalid') return sendProblem(reply, invalidRequest(read.errors))
    const scope = { tenant, filter: read.filter }
    if (dryRun) {
      const [counts, { deadLetters }] = await Promise.all([
        countDeadLetters(db, scope),
        listDeadLetters(db, { ...scope, limit: shownExamples }),
      ])
      return presentDryRun(keys, counts, deadLetters)
    }
    const replay = await createReplay(db, { ...scope, rate, maxRecords: limit ?? null })
    return reply
      .code(202)
      .header('location', `/v1/replays/${formatReplayId(replay.id)}`)
      .send(presentReplay(keys, replay))
  })

  const list = {
    operationId: 'listReplays',
    summary: 'List replays',
    description: 'Newest first.',
    tags,
    querystring: { type: 'object', properties: pageParameters, additionalProperties: false },
    response: {
      200: answer('A page of replays.', replayPage, { data: [example] }),
      ...problems(422, 503),
    },
  }
  app.get<{ Querystring: PageQuery }>('/v1/replays', { schema: list }, async (request, _reply) => {
    const page = await listReplays(db, { tenant: tenantOf(request), ...readPage(request.query) })
    return presentReplays(keys, page)
  })

  const params = {
    type: 'object',
    properties: {
      id: { type: 'string', description: 'The `id` of the 202.', examples: [example.id] },
    },
    required: ['id'],
  }
  const get = {
    operationId: 'getReplay',
    summary: 'Read how far a replay is',
    tags,
    params,
    response: { 200: answer('The replay.', replayResource, example), ...problems(404, 503) },
  }
  app.get<ById>('/v1/replays/:id', { schema: get }, async (request, reply) => {
    const id = parseReplayId(request.params.id)
    const replay = id && (await readReplay(db, tenantOf(request), id))
    return replay ? presentReplay(keys, replay) : sendProblem(reply, noReplay)
  })

  /** Answers with the replay as changed; 409 when its status does not allow it. */
  async function change(
    request: FastifyRequest<ById>,
    reply: FastifyReply,
    { act, detail }: { act: typeof cancelReplay; detail: string },
  ): Promise<ReplayResource | FastifyReply> {
    const tenant = tenantOf(request)
    const id = parseReplayId(request.params.id)
    if (id === undefined || !(await readReplay(db, tenant, id))) return sendProblem(reply, noReplay)
    const after = await act(db, tenant, id)
    return after === undefined
      ? sendProblem(reply, { status: 409, code: 'too_late', detail })
      : presentReplay(keys, after)
  }

  const cancel = {
    operationId: 'cancelReplay',
    summary: 'Cancel a replay',
    description: 'What was handed to the workers already is delivered all the same.',
    tags,
    params,
    response: {
      200: answer('Cancelled.', replayResource, { ...example, status: 'cancelled' }),
      ...problems(400, 404, 409, 413, 415, 503),
    },
  }
  app.post<ById>('/v1/replays/:id/cancel', { schema: cancel, onRequest: allowNoBody }, (request, reply) =>
    change(request, reply, { act: cancelReplay, detail: 'The replay has ended.' }),
  )

  const resume = {
    operationId: 'resumeReplay',
    summary: 'Let a paused replay go on',
    description: 'It goes on where it stopped, and pauses again if what it replays goes on failing.',
    tags,
    params,
    response: { 200: answer('Goes on.', replayResource, example), ...problems(400, 404, 409, 413, 415, 503) },
  }
  app.post<ById>('/v1/replays/:id/resume', { schema: resume, onRequest: allowNoBody }, (request, reply) =>
    change(request, reply, { act: resumeReplay, detail: 'The replay is not paused.' }),
  )
}

interface ById {
  Params: { id: string }
}

const noReplay = notFound('There is no such replay.')
