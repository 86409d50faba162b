import { defineConfig, type OxlintOverride } from 'oxlint'

type Pattern = { message: string } & ({ group: string[] } | { regex: string; allowTypeImports?: boolean })

const parts = ['api-server', 'workers', 'operator', 'deploy', 'test', 'bin', 'crds']
const clients = ['kafkajs', 'pg', 'nodemailer', 'ioredis', '@kubernetes/client-node']

const oneHome =
  'A client library has one home: kafkajs in core/broker/kafka/kafkajs.ts, SQL in the store, the embedded broker, inapp and workers, ' +
  'nodemailer in core/providers/smtp.ts, ioredis in workers/delivery/limits/redis-limits.ts, Kubernetes in operator.'
const innermost =
  'core/notification and core/resources are the innermost words: of ours they import themselves, and notification the channel types.'
const ownPart = 'A unit test stays in its own part of the house; what needs more than one part goes to test/.'

/** What these files may not import. Of the entries that match a file the last one alone counts, so each says all of it. */
function without(files: string[], ...patterns: Pattern[]): OxlintOverride {
  return { files, rules: { 'no-restricted-imports': ['error', { patterns }] } }
}

/** Every part of the house but core, and but these. */
function partsBut(own: readonly string[], message: string): Pattern {
  const others = parts.filter((part) => !own.includes(part))
  return { regex: `^(\\.\\./)+(${others.join('|')})/`, message }
}

/** Every client library but these. Who may not speak SQL may name the types of what it is handed. */
function clientsBut(...own: string[]): Pattern[] {
  const others = clients.filter((client) => !own.includes(client))
  const refused: Pattern = { regex: `^(${others.join('|')})(/|$)`, message: oneHome }
  return own.includes('pg')
    ? [refused]
    : [refused, { regex: '^kysely(/|$)', message: oneHome, allowTypeImports: true }]
}

const coreAlone = partsBut([], 'core imports none of the processes, nor what stands around them.')
const workersAndCore = partsBut(['workers'], 'workers import core, and no other process.')

const directions = [
  without(['core/**'], coreAlone, ...clientsBut()),
  without(
    ['core/store/**', 'core/broker/embedded*', 'core/broker/embedded*/**', 'core/providers/inapp.ts'],
    coreAlone,
    ...clientsBut('pg'),
  ),
  without(['core/broker/kafka/kafkajs.ts'], coreAlone, ...clientsBut('kafkajs')),
  without(['core/providers/smtp.ts'], coreAlone, ...clientsBut('nodemailer')),
  without(
    ['core/notification/*'],
    { group: ['../**', '!../resources/channel-type.ts'], message: innermost },
    ...clientsBut(),
  ),
  without(['core/resources/*'], { regex: '^\\.\\./', message: innermost }, ...clientsBut()),
  without(
    ['core/notification/*/**', 'core/resources/*/**'],
    { regex: '^\\.\\./\\.\\./', message: innermost },
    ...clientsBut(),
  ),
  without(
    ['api-server/**'],
    partsBut(['api-server'], 'api-server imports core, and no other process.'),
    ...clientsBut(),
  ),
  without(['workers/**'], workersAndCore, ...clientsBut('pg')),
  without(['workers/delivery/limits/redis-limits.ts'], workersAndCore, ...clientsBut('pg', 'ioredis')),
  without(
    ['operator/**'],
    partsBut(['operator'], 'operator imports core, and no other process.'),
    ...clientsBut('@kubernetes/client-node'),
  ),
  without(['bin/**', 'crds/**', 'deploy/**'], ...clientsBut()),
  without(['core/**/*.test.ts'], partsBut(['test'], ownPart)),
  ...['api-server', 'workers', 'operator'].map((part) =>
    without([`${part}/**/*.test.ts`], partsBut([part, 'test'], ownPart)),
  ),
  {
    files: ['bin/**/*.test.ts', 'crds/**/*.test.ts', 'deploy/**/*.test.ts'],
    rules: { 'no-restricted-imports': 'off' },
  },
] satisfies OxlintOverride[]

export default defineConfig({
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'node'],
  options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: 'error' },
  categories: { correctness: 'error', suspicious: 'error' },
  ignorePatterns: ['node_modules', '.carillon', 'coverage', 'docs/reference'],
  rules: {
    'no-shadow': 'off',
    'no-control-regex': 'off',
    'no-unmodified-loop-condition': 'off',
    'no-underscore-dangle': 'off',
    'import/no-named-as-default': 'off',
    'import/no-named-as-default-member': 'off',
    'typescript/consistent-return': 'off',
    'unicorn/consistent-function-scoping': 'off',
    'typescript/no-unsafe-type-assertion': 'off',
    eqeqeq: 'error',
    'no-var': 'error',
    'prefer-const': 'error',
    'no-param-reassign': 'error',
    'no-fallthrough': 'error',
    'no-else-return': 'error',
    'no-useless-return': 'error',
    'no-loop-func': 'error',
    'array-callback-return': 'error',
    'no-self-compare': 'error',
    radix: 'error',
    'no-empty': ['error', { allowEmptyCatch: true }],
    'object-shorthand': 'error',
    'max-lines': ['error', { max: 400 }],
    'import/no-cycle': 'error',
    'import/no-default-export': 'error',
    'import/no-duplicates': 'error',
    'import/no-mutable-exports': 'error',
    'import/extensions': ['error', 'always', { ignorePackages: true }],
    'unicorn/require-post-message-target-origin': 'off',
    'unicorn/prefer-node-protocol': 'error',
    'unicorn/throw-new-error': 'error',
    'unicorn/no-abusive-eslint-disable': 'error',
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/await-thenable': 'error',
    'typescript/switch-exhaustiveness-check': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/no-unsafe-argument': 'error',
    'typescript/no-unsafe-assignment': 'error',
    'typescript/no-unsafe-call': 'error',
    'typescript/no-unsafe-member-access': 'error',
    'typescript/no-unsafe-return': 'error',
    'typescript/only-throw-error': 'error',
    'typescript/prefer-promise-reject-errors': 'error',
    'typescript/return-await': ['error', 'error-handling-correctness-only'],
    'typescript/no-deprecated': 'error',
    'typescript/no-require-imports': 'error',
    'typescript/no-import-type-side-effects': 'error',
    'typescript/consistent-type-imports': 'error',
    'typescript/use-unknown-in-catch-callback-variable': 'error',
    'typescript/ban-ts-comment': 'error',
    'typescript/prefer-nullish-coalescing': ['error', { ignorePrimitives: { string: true } }],
    'typescript/parameter-properties': 'error',
    'typescript/restrict-plus-operands': 'error',
    'typescript/prefer-readonly': 'error',
  },
  overrides: [
    ...directions,
    {
      files: ['core/**', 'api-server/**', 'workers/**', 'operator/**'],
      rules: { 'no-console': 'error' },
    },
    {
      files: ['**/*.test.ts', 'test/**'],
      plugins: ['typescript', 'unicorn', 'oxc', 'import', 'node', 'vitest'],
      rules: {
        'vitest/no-focused-tests': 'error',
        'vitest/no-disabled-tests': 'error',
        'vitest/no-identical-title': 'error',
        'vitest/no-standalone-expect': 'error',
        'vitest/valid-expect': 'error',
        'vitest/no-conditional-tests': 'error',
        'typescript/unbound-method': 'off',
        'no-console': 'off',
      },
    },
    { files: ['*.config.ts'], rules: { 'import/no-default-export': 'off' } },
  ],
})
