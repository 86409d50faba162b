import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assignRoundRobin } from '../assignor.ts'
import { Group, type Member } from './group.ts'
import type { Partition } from './topics.ts'

const topicNames = ['a', 'b', 'c'] as const

function partitions(topic: string, count: number): Partition[] {
  return Array.from({ length: count }, (_, partition) => ({
    id: partition,
    topic,
    partition,
    begin: 0,
    end: 0,
  }))
}

const subscription = fc.subarray([...topicNames], { minLength: 1 })
const counts = fc.record({ a: fc.nat(7), b: fc.nat(7), c: fc.nat(7) })

describe('round-robin assignment', () => {
  it('gives every partition of a subscribed topic one owner, who subscribes to it', () => {
    fc.assert(
      fc.property(fc.array(subscription, { maxLength: 6 }), counts, (subscriptions, sizes) => {
        const members = subscriptions.map((topics) => ({ topics }))

        const shares = assignRoundRobin(members, (topic) => partitions(topic, sizes[topic as 'a']))

        const dealt = [...shares].flatMap(([{ topics }, share]) =>
          share.map(({ topic, partition }) => ({ topics, topic, partition })),
        )
        expect(dealt.every(({ topics, topic }) => topics.includes(topic as 'a'))).toBe(true)
        const subscribed = topicNames.filter((topic) =>
          subscriptions.some((topics) => topics.includes(topic)),
        )
        expect(dealt.map(({ topic, partition }) => `${topic}/${partition}`).toSorted()).toEqual(
          subscribed
            .flatMap((topic) =>
              partitions(topic, sizes[topic]).map(({ partition }) => `${topic}/${partition}`),
            )
            .toSorted(),
        )
      }),
    )
  })

  it('is even among members that subscribe to the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), subscription, counts, (size, topics, sizes) => {
        const members = Array.from({ length: size }, () => ({ topics }))
        const shares = assignRoundRobin(members, (topic) => partitions(topic, sizes[topic as 'a']))
        const lengths = [...shares.values()].map(({ length }) => length)
        expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(1)
      }),
    )
  })
})

describe('group', () => {
  it('has one owner for each partition after any history, and epochs that rise for every member', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('join' as const), topics: subscription }),
      fc.record({ do: fc.constant('leave' as const), who: fc.nat(9) }),
      fc.record({ do: fc.constant('grow' as const), topic: fc.constantFrom(...topicNames) }),
      fc.record({ do: fc.constant('settle' as const) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const sizes = { a: 1, b: 3, c: 0 }
        const { group, join, members } = newGroup((topic) => partitions(topic, sizes[topic as 'a']))
        for (const action of steps) {
          if (action.do === 'join') join(action.topics)
          else if (action.do === 'leave') {
            const leaving = members[action.who % members.length]
            if (leaving) group.leave(leaving)
            if (leaving) members.splice(members.indexOf(leaving), 1)
          } else if (action.do === 'grow') {
            sizes[action.topic]++
            group.rebalance()
          } else await group.settled()
        }
        await group.settled()

        const owned = members.flatMap((member) =>
          member.owned!.map(({ topic, partition }) => `${topic}/${partition}`),
        )
        const expected = topicNames
          .filter((topic) => members.some(({ topics }) => topics.includes(topic)))
          .flatMap((topic) => partitions(topic, sizes[topic]).map(({ partition }) => `${topic}/${partition}`))
        expect(owned.toSorted()).toEqual(expected.toSorted())
        for (const { epochs } of members)
          expect(epochs).toEqual([...new Set(epochs)].toSorted((a, b) => a - b))
        expect(new Set(members.map(({ epochs }) => epochs.at(-1))).size).toBeLessThanOrEqual(1)
      }),
    )
  })

  it('revokes at once, and assigns only after the commits under way', async () => {
    const commits = Promise.withResolvers<void>()
    let pending: Promise<void> = Promise.resolve()
    const { group, join } = newGroup(
      (topic) => partitions(topic, 1),
      () => pending,
    )
    const first = join(['a'])
    await group.settled()
    pending = commits.promise

    join(['a'])
    await Promise.resolve()
    expect(first.owned).toBeUndefined()
    expect(first.epochs).toEqual([1])

    commits.resolve()
    await group.settled()
    expect(first.epochs).toEqual([1, 2])
  })
})

interface FakeMember extends Member {
  owned: readonly Partition[] | undefined
  epochs: number[]
}

function newGroup(
  partitionsOf: (topic: string) => Partition[],
  commitsSettled = async (): Promise<void> => {},
) {
  const group = new Group({ partitionsOf, commitsSettled })
  const members: FakeMember[] = []
  const join = (topics: readonly string[]): FakeMember => {
    const member: FakeMember = {
      topics,
      owned: undefined,
      epochs: [],
      revoke: () => (member.owned = undefined),
      assign(epoch, share) {
        // A member has to be told that an assignment is over before it gets another.
        expect(member.owned).toBeUndefined()
        member.owned = share
        member.epochs.push(epoch)
      },
    }
    members.push(member)
    group.join(member)
    return member
  }
  return { group, join, members }
}
