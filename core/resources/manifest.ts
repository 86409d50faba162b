import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Document,
  type Node,
  parseAllDocuments,
  type YAMLError,
} from 'yaml'
import type { z } from 'zod'
import { formatPath, type Problem, parse, suggestion } from './problem.ts'
import { apiVersion, group } from './resource.ts'

export interface Position {
  /** From 1. */
  line: number
  column: number
}

/** A problem of a manifest file. `path` is the field, such as `spec.providers[0].smtp.port`; empty for the document itself. */
export interface ManifestProblem extends Position {
  file: string
  path: string
  message: string
}

export type Kinds = Record<string, z.ZodType<KubernetesResource>>

interface KubernetesResource {
  kind: string
  metadata: { name: string; namespace: string }
}

/** A valid resource, and where its fields stand: for those who find problems later, such as a sample that does not render. */
export interface Manifest<K extends Kinds> {
  resource: z.output<K[keyof K]>
  problem(found: Problem): ManifestProblem
}

export interface ParsedManifests<K extends Kinds> {
  resources: Manifest<K>[]
  problems: ManifestProblem[]
}

/**
 * Reads the YAML documents of one file. A document that is not valid gives problems and no resource; the others stand. Other
 * kinds (a Secret beside a channel) are passed over in silence, as these files are also read by `kubectl apply`.
 */
export function parseManifests<K extends Kinds>(
  text: string,
  options: { file: string; kinds: K },
): ParsedManifests<K> {
  const lines = new LineCounter()
  const parsed: ParsedManifests<K> = { resources: [], problems: [] }
  const seen = new Set<string>()
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false })
  for (const document of Array.isArray(documents) ? documents : []) {
    const at = locator(document, lines, options.file)
    // Those after the first mostly follow from it, one for every word of the rest.
    const [syntax] = [...document.errors, ...document.warnings]
    if (syntax) {
      const problem = { path: '', message: describeSyntax(syntax) }
      parsed.problems.push({ ...place(lines, syntax.pos[0], options.file), ...problem })
      continue
    }
    const value = read(document)
    if (!value.ok) parsed.problems.push(at({ path: [], message: value.message }))
    else if (value.content !== null) readResource(value.content, { ...options, at, seen, parsed })
  }
  return parsed
}

/** `deploy/samples/channels.yaml:12: spec.providers[0].smtp.port: must be at most 65535` */
export function formatManifestProblem(problem: ManifestProblem): string {
  return [`${problem.file}:${problem.line}`, problem.path, problem.message].filter(Boolean).join(': ')
}

interface Reading<K extends Kinds> {
  kinds: K
  at: (problem: Problem) => ManifestProblem
  seen: Set<string>
  parsed: ParsedManifests<K>
}

function readResource<K extends Kinds>(value: unknown, { kinds, at, seen, parsed }: Reading<K>): void {
  const header = readHeader(value, Object.keys(kinds))
  if (header.other) return
  const schema = header.kind === undefined ? undefined : kinds[header.kind]
  if (!schema) {
    parsed.problems.push(...header.problems.map(at))
    return
  }
  const result = parse(schema, value)
  if (!result.ok) {
    parsed.problems.push(...result.problems.map(at))
    return
  }
  const { kind, metadata } = result.value
  const id = `${kind} ${metadata.namespace}/${metadata.name}`
  if (seen.has(id))
    parsed.problems.push(at({ path: ['metadata', 'name'], message: `a second ${id} in this file` }))
  else parsed.resources.push({ resource: result.value as z.output<K[keyof K]>, problem: at })
  seen.add(id)
}

interface Header {
  kind?: string
  problems: Problem[]
  /** Not ours, and not meant to be. */
  other: boolean
}

/** Tells ours from others, and what was meant to be ours from both: a known kind of a wrong group, an unknown kind of ours. */
function readHeader(value: unknown, known: string[]): Header {
  const { apiVersion: given, kind } = (typeof value === 'object' ? value : {}) as {
    apiVersion?: unknown
    kind?: unknown
  }
  if (typeof given !== 'string' || typeof kind !== 'string') {
    return {
      problems: [{ path: [], message: 'is not a Kubernetes manifest: apiVersion and kind are required' }],
      other: false,
    }
  }
  if (given === 'v1' && kind === 'List') {
    return {
      problems: [{ path: ['kind'], message: 'a List is not read; separate the resources with ---' }],
      other: false,
    }
  }
  const ours = given.split('/')[0] === group
  if (!ours && !known.includes(kind)) return { problems: [], other: true }
  const problems: Problem[] = []
  if (given !== apiVersion) problems.push({ path: ['apiVersion'], message: `must be ${apiVersion}` })
  if (!known.includes(kind)) {
    problems.push({ path: ['kind'], message: `must be ${known.join(' or ')}${suggestion(kind, known)}` })
  }
  return problems.length > 0 ? { problems, other: false } : { kind, problems, other: false }
}

/** Without the text that is not understood: it may be a secret. */
function describeSyntax({ code, message }: YAMLError): string {
  if (message.startsWith('Maximum call stack')) return 'is nested too deeply'
  return code === 'UNEXPECTED_TOKEN' ? message.replace(/: .*/s, '') : message
}

/** Aliases are bounded by the library; a document that expands beyond that is refused there. */
function read(document: Document.Parsed): { ok: true; content: unknown } | { ok: false; message: string } {
  try {
    return { ok: true, content: document.toJS() as unknown }
  } catch (error) {
    return { ok: false, message: (error as Error).message }
  }
}

function locator(document: Document.Parsed, lines: LineCounter, file: string) {
  return ({ path, message }: Problem): ManifestProblem => ({
    ...place(lines, offsetOf(document, path), file),
    path: formatPath(path),
    message,
  })
}

function place(lines: LineCounter, offset: number, file: string): Position & { file: string } {
  const { line, col } = lines.linePos(offset)
  return { file, line: Math.max(1, line), column: Math.max(1, col) }
}

/** Where the deepest part of the path that exists begins: a field that is missing is reported at the object that lacks it. */
function offsetOf(document: Document.Parsed, path: readonly PropertyKey[]): number {
  let node: Node | null = document.contents
  let offset = node?.range?.[0] ?? document.range[0]
  for (const segment of path) {
    if (isAlias(node)) node = node.resolve(document) ?? null
    const next: { value: Node | null; offset: number } | undefined = child(node, segment)
    if (!next) break
    node = next.value
    offset = next.offset
  }
  return offset
}

function child(node: Node | null, segment: PropertyKey): { value: Node | null; offset: number } | undefined {
  if (isSeq(node)) {
    const item = node.items[Number(segment)] as Node | undefined
    return item && { value: item, offset: item.range?.[0] ?? 0 }
  }
  if (!isMap(node)) return undefined
  const pair = node.items.find(
    (candidate) => isScalar(candidate.key) && String(candidate.key.value) === String(segment),
  )
  if (!pair) return undefined
  return { value: pair.value as Node | null, offset: (pair.key as Node).range?.[0] ?? 0 }
}
