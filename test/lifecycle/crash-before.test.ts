import { testEveryCall } from './crash.ts';

testEveryCall('before', 13);
