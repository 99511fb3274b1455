import { defineConfig } from 'vitest/config';

import config from './vitest.config.ts';

// Measurements: they print figures and assert no times.
export default defineConfig({ test: { ...config.test, include: ['bench/**/*.bench.ts'], testTimeout: 600_000 } });
