import time
def test_first(world):
    for n in range(3): world.objects=[world.config_map("a",x="1"),world.config_map("b",x="1")]
    t=time.time(); print(world.up(), time.time()-t)
    t=time.time(); print(world.up(), time.time()-t)
    world.objects=[world.config_map("a",x="2"),world.config_map("c",x="1")]
    t=time.time(); print(*world.preview(), time.time()-t)
    t=time.time(); print(world.up(), time.time()-t); print(world.config_maps())
    import json; print(json.dumps(world.state(),indent=1))
    t=time.time(); print(world.stack.destroy().stdout, time.time()-t); print(world.config_maps())
