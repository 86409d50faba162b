import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Cursor } from './cursor.ts'
import { Fetcher } from './fetcher.ts'
import { TopicMap } from '../topic-map.ts'
import type { TopicPlace } from '../wire/metadata.ts'
import type { Api } from '../wire/request.ts'
import type { Wire } from '../wire/wire.ts'

const topic = 't'

/** One topic, whose leaders the tests decide; there is nothing to read in it. */
class FakeCluster {
  leaders = [1, 1]
  /** The partitions that each leader was asked for since the last look. */
  asked: Record<number, Set<number>> = {}

  readonly wire = {
    locate: () => Promise.resolve(new Map([[topic, this.#place()]])),
    ask: async (node: number, _: Api, { topics }: { topics: { partitions: { partition: number }[] }[] }) => {
      const partitions = topics.flatMap((each) => each.partitions.map(({ partition }) => partition))
      this.asked[node] = new Set([...(this.asked[node] ?? []), ...partitions])
      await new Promise((resolve) => setTimeout(resolve, 10))
      return { responses: [] }
    },
  } as unknown as Wire

  #place(): TopicPlace {
    const partitions = this.leaders.map((leader, partition) => ({ partition, leader, replicas: 1 }))
    return { error: 0, partitions }
  }
}

describe('the fetcher, when somebody else has looked where the partitions are,', () => {
  const cluster = new FakeCluster()
  let topics: TopicMap
  let fetcher: Fetcher
  let cursors: Cursor[]

  beforeEach(async () => {
    vi.useFakeTimers()
    cluster.leaders = [1, 1]
    topics = new TopicMap(cluster.wire)
    topics.add(topic)
    await topics.refresh()
    fetcher = new Fetcher({ wire: cluster.wire, topics, onRead() {}, onFailure() {} })
    cursors = [0, 1].map((partition) => ({ topic, partition, position: 0, paused: false }))
    fetcher.read(cursors)
  })
  afterEach(async () => {
    const stopped = fetcher.stop()
    await vi.advanceTimersByTimeAsync(1_000)
    await stopped
    vi.useRealTimers()
  })

  /** As a follower does that looks whether its topic has grown. */
  async function move(leaders: number[]): Promise<void> {
    cluster.leaders = leaders
    await topics.refresh()
    await vi.advanceTimersByTimeAsync(50)
    cluster.asked = {}
    await vi.advanceTimersByTimeAsync(50)
  }

  it.each([
    { what: 'all of them', leaders: [2, 2], asked: { 2: new Set([0, 1]) } },
    { what: 'one of them', leaders: [1, 2], asked: { 1: new Set([0]), 2: new Set([1]) } },
  ])('reads $what from a new leader', async ({ leaders, asked }) => {
    await move(leaders)
    expect(cluster.asked).toEqual(asked)
  })

  it('reads what has moved to a leader of which all else is paused', async () => {
    await move([1, 2])
    cursors[1]!.paused = true
    await vi.advanceTimersByTimeAsync(50)
    await move([2, 2])
    expect(cluster.asked).toEqual({ 2: new Set([0]) })
  })

  it('reads on once they have a leader again', async () => {
    await move([-1, -1])
    expect(cluster.asked).toEqual({})
    cluster.leaders = [1, 1]
    await vi.advanceTimersByTimeAsync(300)
    expect(cluster.asked).toEqual({ 1: new Set([0, 1]) })
  })

  it('reads on once one of them has a leader again', async () => {
    await move([1, -1])
    cluster.leaders = [1, 2]
    await vi.advanceTimersByTimeAsync(300)
    expect(cluster.asked[2]).toEqual(new Set([1]))
  })
})
