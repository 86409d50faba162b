import { describe, expect, it } from 'vitest'
import {
  commitsWhatItGets,
  givesNothingUp,
  holdsNoFollowUps,
  holdsNothing,
  lastClaimInCompany,
  noEpochGuard,
  noLeaseCheck,
  noLedgerCheck,
  noWaitForFollowUps,
  overtakesHeld,
} from './mutations.ts'
import type { Disruption } from './process.ts'
import { scenarios } from './scenarios.ts'
import { runAll } from './simulate.ts'
import type { Mutation } from './world.ts'

interface Case {
  what: string
  mutation: Mutation
  scenario: string
  kind: Disruption['kind']
  /** The guarantee that is seen to break. */
  breaks: string
}

const cases: Case[] = [
  {
    what: 'the ledger is not asked',
    mutation: noLedgerCheck,
    scenario: 'plain success',
    kind: 'crash',
    breaks: 'unexplained duplicate',
  },
  {
    what: 'the last claim is given beside others',
    mutation: lastClaimInCompany,
    scenario: 'claimed beside one that kills its worker',
    kind: 'crash',
    breaks: 'ended otherwise',
  },
  {
    what: 'nobody waits for the retry record',
    mutation: noWaitForFollowUps,
    scenario: 'brokers away',
    kind: 'crash',
    breaks: 'not finished',
  },
  {
    what: 'epochs are not told apart',
    mutation: noEpochGuard,
    scenario: 'frozen in the call, then thawed',
    kind: 'crash',
    breaks: 'commit rewound',
  },
  {
    what: 'what is handed over counts as finished',
    mutation: commitsWhatItGets,
    scenario: 'plain success',
    kind: 'crash',
    breaks: 'not finished',
  },
  {
    what: 'the lease is not looked at before the call',
    mutation: noLeaseCheck,
    scenario: 'plain success',
    kind: 'freeze',
    breaks: 'sent without a lease',
  },
  {
    what: 'what is for a missing topic is not kept',
    mutation: holdsNothing,
    scenario: 'the topic is missing for a while',
    kind: 'crash',
    breaks: 'not finished',
  },
  {
    what: 'the dead letter of a request is not kept while it has no topic',
    mutation: holdsNothing,
    scenario: 'the dead letters have no topic for a while',
    kind: 'crash',
    breaks: 'poison lost',
  },
  {
    what: 'what waits for a topic is overtaken',
    mutation: overtakesHeld,
    scenario: 'the topic is missing for a while',
    kind: 'crash',
    breaks: 'out of order',
  },
  {
    what: 'a retry whose topic is missing is not kept',
    mutation: holdsNoFollowUps,
    scenario: 'the retry topics are missing for a while',
    kind: 'crash',
    breaks: 'not finished',
  },
  {
    what: 'what is too large for its retry topic is not given up',
    mutation: givesNothingUp,
    scenario: 'too large for its retry topic',
    kind: 'crash',
    breaks: 'not finished',
  },
]

/** A simulation that nothing can make fail proves nothing: each of these engines lacks one thing that a guarantee rests on. */
describe('the simulation fails when', () => {
  it.each(cases)(
    '$what: $breaks',
    { timeout: 600_000 },
    async ({ mutation, scenario: name, kind, breaks }) => {
      const scenario = scenarios.find((candidate) => candidate.name === name)!
      const seen = new Set<string>()
      for await (const { problems } of runAll({ scenario, seed: 1, mutation }, kind)) {
        for (const problem of problems) seen.add(problem.split(':')[0]!)
        if (seen.has(breaks)) break
      }
      expect([...seen]).toContain(breaks)
    },
  )
})
