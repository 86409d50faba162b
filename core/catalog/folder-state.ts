import { channelTopicSpecs, installTopicSpecs } from '../broker/topic-specs.ts'
import { changeProblems } from '../resources/change.ts'
import {
  type Manifest,
  type ManifestProblem,
  type ParsedManifests,
  parseManifests,
} from '../resources/manifest.ts'
import type { NotificationTemplate } from '../resources/template.ts'
import type { TemplateProblem } from '../template/check.ts'
import type { kinds as allKinds } from './kinds.ts'
import type { ManifestFile } from './manifest-files.ts'
import { keyOf, type Resource } from './records.ts'

type Kinds = typeof allKinds

/** A resource that serves, and the file that it came from. */
export interface Served {
  resource: Resource
  file: string
}

export interface FolderState {
  /** By key of the catalog. */
  served: ReadonlyMap<string, Served>
  /** In order of file and line. */
  problems: ManifestProblem[]
}

export interface FolderRules {
  kinds: Kinds
  /** Proves a template: its parts and its samples. */
  checkTemplate: (template: NotificationTemplate) => Promise<TemplateProblem[]>
  /** Prefix of the install's topics: decides whether two channels would share one. */
  prefix: string
}

/** Bytes of JSON. A record of the catalog must fit Kafka's default `max.message.bytes`, 1 MiB, with room for its envelope. */
const maxSize = 1_000_000

/**
 * What a folder says, given what it said before. A resource with a problem goes on with its last good revision, or is absent
 * when it never had one. A file of which some document cannot be used takes nothing away: the missing resource may be that document.
 */
export async function nextState(
  files: readonly ManifestFile[],
  before: FolderState['served'],
  rules: FolderRules,
): Promise<FolderState> {
  const problems: ManifestProblem[] = []
  const troubled = new Set<string>()
  const found: Found[] = []
  for (const one of files) {
    const { file } = one
    const parsed = readFile(one, rules)
    if (parsed.problems.length > 0) troubled.add(file)
    problems.push(...parsed.problems)
    found.push(...parsed.resources.map((manifest) => ({ ...manifest, file })))
  }
  const named = Map.groupBy(found, ({ resource }) => keyOf(resource))
  const good = new Map<string, Found>()
  for (const [key, same] of named) {
    const [first] = same
    const wrong = same.length > 1 ? duplicates(same) : await ownProblems(first!, before.get(key), rules)
    problems.push(...wrong)
    if (wrong.length === 0) good.set(key, first!)
  }
  const kept = [...before].filter(([key, { file }]) => named.has(key) || troubled.has(file))
  const served = () => new Map<string, Served>([...kept, ...good])
  // Who leaves goes back to its last good revision, and so may take a topic from another.
  let clashes: Map<string, ManifestProblem>
  do {
    clashes = findClashes(served(), good, rules.prefix)
    problems.push(...clashes.values())
    for (const key of clashes.keys()) good.delete(key)
  } while (clashes.size > 0)
  return { served: strip(served()), problems: problems.toSorted(byPlace) }
}

type Found = Manifest<Kinds> & Served

function readFile(one: ManifestFile, { kinds }: FolderRules): ParsedManifests<Kinds> {
  const { file } = one
  if ('text' in one)
    return isData(file, one.text)
      ? { resources: [], problems: [] }
      : parseManifests(one.text, { file, kinds })
  const problem = { file, line: one.line, column: 1, path: '', message: one.unreadable }
  return { resources: [], problems: [problem] }
}

/** JSON that says nothing of being a manifest, such as a list of users beside the samples. */
function isData(file: string, text: string): boolean {
  return /\.json$/i.test(file) && !/"(apiVersion|kind)"\s*:/.test(text)
}

async function ownProblems(
  found: Found,
  before: Served | undefined,
  { kinds, checkTemplate }: FolderRules,
): Promise<ManifestProblem[]> {
  const { resource } = found
  if (Buffer.byteLength(JSON.stringify(resource)) > maxSize)
    return [found.problem({ path: [], message: `must be at most ${maxSize} bytes of JSON` })]
  const changes = before ? changeProblems(kinds[resource.kind], before.resource, resource) : []
  const content = resource.kind === 'NotificationTemplate' ? await checkTemplate(resource) : []
  return [...changes, ...content].map((problem) => found.problem(problem))
}

function duplicates(same: readonly Found[]): ManifestProblem[] {
  return same.map((one) => {
    const others = same.filter((other) => other !== one).map(placeOf)
    return one.problem({ path: namePath, message: `${titleOf(one)} is also in ${others.join(' and ')}` })
  })
}

/** Of the resources that are new or changed, those that would share a topic with another channel, or with the install itself. */
function findClashes(
  served: ReadonlyMap<string, Served>,
  good: ReadonlyMap<string, Found>,
  prefix: string,
): Map<string, ManifestProblem> {
  const installTopics = new Set(installTopicSpecs(prefix, 1).map(({ name }) => name))
  const users = new Map<string, string[]>()
  for (const [key, { resource }] of served) {
    for (const topic of topicsOf(resource, prefix)) users.set(topic, [...(users.get(topic) ?? []), key])
  }
  const clashes = new Map<string, ManifestProblem>()
  for (const [key, candidate] of good) {
    for (const topic of topicsOf(candidate.resource, prefix)) {
      const others = (users.get(topic) ?? []).filter((user) => user !== key)
      const owner = others.map((other) => describe(served.get(other)!, good.get(other))).join(' and ')
      const message = `topic ${topic} is also that of ${owner || 'the install itself'}`
      if (others.length === 0 && !installTopics.has(topic)) continue
      clashes.set(key, candidate.problem({ path: ['spec', 'topic', 'name'], message }))
      break
    }
  }
  return clashes
}

function topicsOf(resource: Resource, prefix: string): string[] {
  if (resource.kind !== 'NotificationChannel') return []
  return channelTopicSpecs(prefix, resource).map(({ name }) => name)
}

const namePath = ['metadata', 'name']

function titleOf({ resource: { kind, metadata } }: Served): string {
  return `${kind} ${metadata.namespace}/${metadata.name}`
}

function placeOf(found: Found): string {
  const { file, line } = found.problem({ path: namePath, message: '' })
  return `${file}:${line}`
}

function describe(served: Served, found: Found | undefined): string {
  return `${titleOf(served)} (${found ? placeOf(found) : served.file})`
}

/** Leaves the text of the files behind. */
function strip(served: ReadonlyMap<string, Served>): Map<string, Served> {
  return new Map([...served].map(([key, { resource, file }]) => [key, { resource, file }]))
}

function byPlace(left: ManifestProblem, right: ManifestProblem): number {
  if (left.file !== right.file) return left.file < right.file ? -1 : 1
  return left.line - right.line || left.column - right.column
}
