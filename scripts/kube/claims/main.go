// A driver of devices for tests, on the library that accelerators' own drivers are made with: it offers devices of this
// node, and hands those that a claim was given to the container as its runtime's CDI describes them. Each stands in for
// an accelerator: what a container gets is a device node that reads zeros, and its name in the environment.
//
//	claims KUBECONFIG NODE KUBELET_FOLDER CDI_FOLDER COUNT
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	resource "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/dynamic-resource-allocation/kubeletplugin"
	"k8s.io/dynamic-resource-allocation/resourceslice"
)

const (
	driver = "gpu.tests"
	kind   = driver + "/device"
)

type plugin struct{}

func (plugin) PrepareResourceClaims(
	_ context.Context, claims []*resource.ResourceClaim,
) (map[types.UID]kubeletplugin.PrepareResult, error) {
	prepared := map[types.UID]kubeletplugin.PrepareResult{}
	for _, claim := range claims {
		var given kubeletplugin.PrepareResult
		for _, one := range claim.Status.Allocation.Devices.Results {
			given.Devices = append(given.Devices, kubeletplugin.Device{
				Requests: []string{one.Request}, PoolName: one.Pool, DeviceName: one.Device,
				CDIDeviceIDs: []string{kind + "=" + one.Device},
			})
		}
		prepared[claim.UID] = given
	}
	return prepared, nil
}

func (plugin) UnprepareResourceClaims(
	_ context.Context, claims []kubeletplugin.NamespacedObject,
) (map[types.UID]error, error) {
	ended := map[types.UID]error{}
	for _, claim := range claims {
		ended[claim.UID] = nil
	}
	return ended, nil
}

func (plugin) HandleError(_ context.Context, err error, what string) {
	log.Println(what, err)
}

func main() {
	if err := serve(os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]); err != nil {
		log.Fatal(err)
	}
}

func serve(kubeconfig, node, kubelet, described, count string) error {
	many, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	var devices []resource.Device
	var edits []any
	for number := range many {
		name := fmt.Sprintf("gpu-%d", number)
		devices = append(devices, resource.Device{Name: name})
		edits = append(edits, map[string]any{"name": name, "containerEdits": map[string]any{
			"env":         []string{fmt.Sprintf("ACCELERATOR_%d=%s", number, name)},
			"deviceNodes": []any{map[string]any{"path": "/dev/" + name, "hostPath": "/dev/zero", "permissions": "r"}},
		}})
	}
	description, err := json.Marshal(map[string]any{"cdiVersion": "0.6.0", "kind": kind, "devices": edits})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(described, driver+".json"), description, 0o644); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	data := filepath.Join(kubelet, "plugins", driver)
	if err := os.MkdirAll(data, 0o750); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	helper, err := kubeletplugin.Start(ctx, plugin{},
		kubeletplugin.DriverName(driver), kubeletplugin.KubeClient(client),
		kubeletplugin.NodeName(node), kubeletplugin.PluginDataDirectoryPath(data),
		kubeletplugin.RegistrarDirectoryPath(filepath.Join(kubelet, "plugins_registry")))
	if err != nil {
		return err
	}
	defer helper.Stop()
	pools := map[string]resourceslice.Pool{node: {Slices: []resourceslice.Slice{{Devices: devices}}}}
	if err := helper.PublishResources(ctx, resourceslice.DriverResources{Pools: pools}); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
