import { testEveryCall } from './crash.ts';

testEveryCall('after', 30);
