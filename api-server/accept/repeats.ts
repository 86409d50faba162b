import type { Kysely } from 'kysely'
import type { Logger } from '../../core/observability/logger.ts'
import { createBatcher } from '../../core/store/batcher.ts'
import { findRecordedRequests, type RecordedRequest } from '../../core/store/notifications.ts'
import type { Database } from '../../core/store/schema.ts'

/** Requests remembered in memory: those of the seconds between a 202 and the planner's record, at any rate we can serve. */
const capacity = 10_000
/** Milliseconds that a look-up may take: without an answer the request goes on, and the planner finds the repeat. */
const lookUpDeadline = 1_000
const maxBatch = 500

export type Verdict<Refusal> =
  | { kind: 'accepted'; request: RecordedRequest; repeated: boolean }
  /** Accepted before, with another body. */
  | { kind: 'conflict' }
  | { kind: 'refused'; refusal: Refusal }

/**
 * Tells the repeat of a request, by its id, from the first one: among those under way, those accepted a moment ago, and those
 * that are recorded. This saves work and answers a conflict early; what it cannot see (another replica's last second, a
 * store that is down) the planner settles.
 */
export function createRepeats({ db, logger }: { db: Kysely<Database>; logger: Logger }) {
  /** By id; `undefined` when the request was not accepted after all. */
  const recent = new Map<string, Promise<RecordedRequest | undefined>>()
  const findRecorded = createBatcher<string, RecordedRequest | undefined>({
    maxItems: maxBatch,
    flush: async (ids) => {
      const found = await findRecordedRequests(db, ids)
      return ids.map((id) => found.get(id))
    },
  })

  async function lookUp(id: string): Promise<RecordedRequest | undefined> {
    try {
      return await withDeadline(findRecorded(id), lookUpDeadline)
    } catch (error) {
      logger.warn({ err: error }, 'Store cannot be read: repeats are left to the planner')
      return undefined
    }
  }

  /** Runs unless the request was accepted before. Of several at once one runs, and the others wait for what becomes of it. */
  return async function once<Refusal>(
    id: string,
    bodyHash: string,
    run: () => Promise<Verdict<Refusal>>,
  ): Promise<Verdict<Refusal>> {
    const judge = (before: RecordedRequest): Verdict<never> =>
      before.bodyHash === bodyHash
        ? { kind: 'accepted', request: before, repeated: true }
        : { kind: 'conflict' }

    for (let other = recent.get(id); other !== undefined; other = recent.get(id)) {
      const before = await other
      if (before !== undefined) return judge(before)
    }
    const mine = Promise.withResolvers<RecordedRequest | undefined>()
    recent.set(id, mine.promise)
    if (recent.size > capacity) recent.delete(recent.keys().next().value!)
    let known: RecordedRequest | undefined
    try {
      known = await lookUp(id)
      if (known !== undefined) return judge(known)
      const verdict = await run()
      if (verdict.kind === 'accepted') known = verdict.request
      return verdict
    } finally {
      if (known === undefined) recent.delete(id)
      mine.resolve(known)
    }
  }
}

/** `undefined` when the promise takes longer. */
async function withDeadline<T>(promise: Promise<T>, milliseconds: number): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => late.resolve(undefined), milliseconds)
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
